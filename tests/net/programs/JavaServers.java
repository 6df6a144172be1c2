// SPDX-License-Identifier: MIT
//
// JavaServers HTTP_PORT NIO_PORT SOCKET_PORT FILE: three servers of the class library in one JVM, all
// at the unspecified address, which to a JVM is a dual-stack socket.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.Executors;

public class JavaServers {
    private static final int PIECE = 1 << 16;

    static String sum(InputStream in) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] piece = new byte[PIECE];
        int n;
        while ((n = in.read(piece)) > 0)
            digest.update(piece, 0, n);
        return HexFormat.of().formatHex(digest.digest());
    }

    // ---------------------------------------------------------------------- com.sun.net.httpserver
    // POST: its bytes; PUT: its SHA-256; GET /file: the file; GET /slow: nothing for an hour; other: whom it sees

    private static void answer(HttpExchange exchange, Path file) throws Exception {
        byte[] body;
        if (exchange.getRequestMethod().equals("POST")) {
            body = exchange.getRequestBody().readAllBytes();
        } else if (exchange.getRequestMethod().equals("PUT")) {
            body = sum(exchange.getRequestBody()).getBytes();
        } else if (exchange.getRequestURI().getPath().equals("/file")) {
            exchange.sendResponseHeaders(200, Files.size(file));
            Files.copy(file, exchange.getResponseBody());
            exchange.close();
            return;
        } else if (exchange.getRequestURI().getPath().equals("/slow")) {
            Thread.sleep(3600000);
            return;
        } else {
            body = exchange.getRemoteAddress().getAddress().getHostAddress().getBytes();
        }
        exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static void serveHttp(int port, Path file) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 300);
        server.createContext("/", exchange -> {
            try {
                answer(exchange, file);
            } catch (IOException e) {
                throw e;
            } catch (Exception e) {
                throw new IOException(e);
            }
        });
        server.setExecutor(Executors.newCachedThreadPool(JavaServers::daemon));
        server.start();
    }

    // ---------------------------------------------------------------------- java.nio: a selector's echo

    private static void echo(SelectionKey key) throws IOException {
        SocketChannel channel = (SocketChannel)key.channel();
        ByteBuffer buffer = (ByteBuffer)key.attachment();
        boolean ended = key.isReadable() && channel.read(buffer) < 0;
        buffer.flip();
        channel.write(buffer);
        boolean left = buffer.hasRemaining();
        buffer.compact();
        if (ended && !left)
            channel.close();
        else // nothing more is read until what was read is written
            key.interestOps(left ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
    }

    private static void serveNio(int port) throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress(port), 300);
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        daemon(() -> {
            try {
                while (true) {
                    selector.select(key -> {
                        try {
                            if (key.isAcceptable()) {
                                SocketChannel channel = listener.accept();
                                channel.configureBlocking(false);
                                channel.register(selector, SelectionKey.OP_READ, ByteBuffer.allocateDirect(PIECE));
                            } else {
                                echo(key);
                            }
                        } catch (IOException e) {
                            key.cancel();
                        }
                    });
                }
            } catch (IOException e) {
                e.printStackTrace();
            }
        }).start();
    }

    // ---------------------------------------------------------------------- java.net.ServerSocket
    // A connection's first byte: e(cho), s(um after its end), r(eset), q(uiet), c(lose the
    // listener until its second byte)

    private static volatile ServerSocket listener;

    private static void talk(Socket socket, Path file) throws Exception {
        socket.setOOBInline(true);
        InputStream in = new BufferedInputStream(socket.getInputStream());
        OutputStream out = socket.getOutputStream();
        switch (in.read()) {
        case 'e' -> in.transferTo(out);
        case 's' -> out.write(sum(in).getBytes());
        case 'q' -> in.read();
        case 'r' -> {
            in.read();
            socket.setSoLinger(true, 0);
        }
        case 'c' -> {
            int port = listener.getLocalPort();
            listener.close();
            out.write('c');
            in.read();
            ServerSocket again = new ServerSocket(port, 300);
            acceptOn(again, file);
            out.write('o');
            in.transferTo(out);
        }
        default -> throw new IOException("what?");
        }
        socket.close();
    }

    private static void acceptOn(ServerSocket server, Path file) {
        listener = server;
        daemon(() -> {
            try {
                while (true) {
                    Socket socket = server.accept();
                    daemon(() -> {
                        try {
                            talk(socket, file);
                        } catch (Exception e) {
                            e.printStackTrace();
                        }
                    }).start();
                }
            } catch (IOException e) {
                if (!server.isClosed())
                    e.printStackTrace();
            }
        }).start();
    }

    static Thread daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }

    public static void main(String[] args) throws Exception {
        Path file = Path.of(args[3]);
        serveHttp(Integer.parseInt(args[0]), file);
        serveNio(Integer.parseInt(args[1]));
        acceptOn(new ServerSocket(Integer.parseInt(args[2]), 300), file);
        System.out.println("listening");
        Thread.sleep(Long.MAX_VALUE);
    }
}
