// SPDX-License-Identifier: Apache-2.0

// Other programs, started from Java.
import java.io.IOException;
import java.util.concurrent.TimeUnit;

public class Processes {
    static void run(String... command) throws Exception {
        ProcessBuilder b = new ProcessBuilder(command).redirectErrorStream(true);
        b.environment().put("ANSWER", "42");
        Process p = b.start();
        try {
            p.getOutputStream().write("given\n".getBytes());
            p.getOutputStream().close();
        } catch (IOException e) {
            // most of them do not read
        }
        String out = new String(p.getInputStream().readAllBytes());
        System.out.println(String.join(" ", command) + " -> " + p.waitFor() + " " + out);
    }

    public static void main(String[] args) throws Exception {
        run("cat");
        run("sh", "-c", "echo $ANSWER; exit 3");
        run("sh", "-c", "kill -9 $$");
        run("sh", "-c", "seq 1 100 | sort -rn | head -n 3");
        try {
            run("/no/such/program");
        } catch (IOException e) {
            System.out.println("not there");
        }
        Process p = new ProcessBuilder("sleep", "100").start();
        System.out.println(p.waitFor(50, TimeUnit.MILLISECONDS) + " " + p.isAlive());
        p.destroyForcibly();
        System.out.println(p.waitFor());
    }
}
