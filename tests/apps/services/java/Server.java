// SPDX-License-Identifier: Apache-2.0

// The HTTP server of the tests, in Java.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.Executors;

public class Server {
    static void answer(HttpExchange x, int status, byte[] body) throws IOException {
        x.sendResponseHeaders(status, body.length);
        x.getResponseBody().write(body);
        x.close();
    }

    static void handle(HttpExchange x) throws IOException {
        try {
            switch (x.getRequestURI().getPath()) {
                case "/hash" -> answer(x, 200, HexFormat.of().formatHex(
                    MessageDigest.getInstance("SHA-256").digest(x.getRequestBody().readAllBytes())).getBytes());
                case "/big" -> answer(x, 200, "nacre".repeat(400000).getBytes());
                case "/missing" -> answer(x, 404, "none\n".getBytes());
                case "/later" -> {
                    Thread.sleep(10);
                    answer(x, 200, "later\n".getBytes());
                }
                default -> answer(x, 200, ("hello " + x.getRequestURI() + "\n").getBytes());
            }
        } catch (Exception e) {
            throw new IOException(e);
        }
    }

    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 128);
        server.createContext("/", Server::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            System.out.println("stopping");
            server.stop(0);
        }));
        server.start();
    }
}
