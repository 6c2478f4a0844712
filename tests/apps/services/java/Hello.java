// SPDX-License-Identifier: Apache-2.0

// What the virtual machine does by signals and by the file system, seen from a program.
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

public class Hello {
    static int depth;

    static void deeper() {
        depth++;
        deeper();
    }

    public static void main(String[] args) throws Exception {
        System.out.println("hello " + Arrays.toString(args) + " " + System.getProperty("java.version"));
        try {
            Object nothing = args.length > 100 ? "" : null;
            System.out.println(nothing.hashCode());
        } catch (NullPointerException e) {
            System.out.println("null");
        }
        try {
            deeper();
        } catch (StackOverflowError e) {
            System.out.println("deep " + (depth > 1000));
        }
        try {
            System.out.println(1 / (depth - depth));
        } catch (ArithmeticException e) {
            System.out.println(e.getMessage());
        }
        Path file = Files.createTempFile("nacre", ".txt");
        Files.writeString(file, "x".repeat(100000));
        System.out.println(Files.size(file) + " " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file))));
        Files.delete(file);
        System.out.println(CompletableFuture.supplyAsync(() -> IntStream.range(0, 1_000_000).parallel().filter(x -> x % 7 == 0).count()).get());
        System.out.println(Instant.EPOCH.atZone(ZoneId.of("Asia/Tokyo")) + " " + String.format(Locale.GERMANY, "%,.2f", 1234567.891));
        System.exit(7);
    }
}
