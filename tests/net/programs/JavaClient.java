// SPDX-License-Identifier: MIT
//
// JavaClient ADDRESS HTTP_PORT NIO_PORT SOCKET_PORT FILE SEEN FOLDER: every check against JavaServers. For each
// it prints its name and `ok`, or why not. SEEN: the address that the server must see; FOLDER: one to
// write to; the environment's HOLE: an address at whose port 9 nobody answers.

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketOption;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

public class JavaClient {
    private interface Check {
        void run() throws Exception;
    }

    private static String address, seen;
    private static int http, nio, socket;
    private static Path file, folder;

    private static void want(boolean true_, String what) {
        if (!true_)
            throw new AssertionError(what);
    }

    private static void wantError(Class<? extends Exception> kind, Check check) {
        try {
            check.run();
        } catch (Exception e) {
            if (kind.isInstance(e))
                return;
            throw new AssertionError(kind.getName() + " wanted", e);
        }
        throw new AssertionError(kind.getName() + " wanted");
    }

    private static byte[] random(int size) {
        byte[] data = new byte[size];
        new Random().nextBytes(data);
        return data;
    }

    private static String fileSum() throws Exception {
        try (InputStream in = Files.newInputStream(file)) {
            return JavaServers.sum(in);
        }
    }

    // ---------------------------------------------------------------------- HTTP

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://" + address + ":" + http + path));
    }

    private static void httpParallel() throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            byte[] body = random(20000 + i);
            all.add(client.sendAsync(request("/").POST(BodyPublishers.ofByteArray(body)).build(),
                                     BodyHandlers.ofByteArray())
                        .thenAccept(r -> want(Arrays.equals(r.body(), body), "other bytes")));
        }
        CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0])).get();
    }

    private static void httpFile() throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        HttpRequest put = request("/").PUT(BodyPublishers.ofFile(file)).build();
        want(client.send(put, BodyHandlers.ofString()).body().equals(fileSum()), "other bytes");
        Path got = folder.resolve("got");
        client.send(request("/file").build(), BodyHandlers.ofFile(got));
        want(Files.mismatch(got, file) < 0, "another file");
        Files.delete(got);
    }

    private static void httpTimeouts() throws Exception {
        HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofMillis(100)).build();
        HttpRequest hole = HttpRequest.newBuilder(URI.create("http://" + System.getenv("HOLE") + ":9/")).build();
        wantError(HttpConnectTimeoutException.class, () -> client.send(hole, BodyHandlers.ofString()));
        HttpClient patient = HttpClient.newHttpClient();
        wantError(HttpTimeoutException.class,
                  () -> patient.send(request("/slow").timeout(Duration.ofMillis(200)).build(),
                                     BodyHandlers.ofString()));
        HttpRequest closed = HttpRequest.newBuilder(URI.create("http://" + address + ":10/")).build();
        wantError(ConnectException.class, () -> patient.send(closed, BodyHandlers.ofString()));
    }

    private static void urlConnection() throws Exception {
        for (int i = 0; i < 20; i++) { // kept alive
            HttpURLConnection c = (HttpURLConnection)new URL("http://" + address + ":" + http + "/").openConnection();
            byte[] body = random(50000);
            c.setDoOutput(true);
            c.getOutputStream().write(body);
            want(Arrays.equals(c.getInputStream().readAllBytes(), body), "other bytes");
        }
    }

    private static void seenAddress() throws Exception {
        String who = HttpClient.newHttpClient().send(request("/who").build(), BodyHandlers.ofString()).body();
        want(who.equals(seen), who);
    }

    // ---------------------------------------------------------------------- NIO

    private static class Echo {
        final byte[] sent;
        final ByteBuffer out, in;

        Echo(int size) {
            sent = random(size);
            out = ByteBuffer.wrap(sent);
            in = ByteBuffer.allocate(size + 1);
        }

        // true: it is over
        boolean event(SelectionKey key) throws IOException {
            SocketChannel channel = (SocketChannel)key.channel();
            if (key.isConnectable()) {
                want(channel.finishConnect(), "not connected");
                key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
                return false;
            }
            if (key.isWritable() && out.hasRemaining()) {
                ByteBuffer head = out.duplicate().limit(out.position() + out.remaining() / 2);
                ByteBuffer tail = out.duplicate().position(head.limit());
                out.position(out.position() + (int)channel.write(new ByteBuffer[] {head, tail}));
                if (!out.hasRemaining()) {
                    channel.shutdownOutput();
                    key.interestOps(SelectionKey.OP_READ);
                }
            }
            if (!key.isReadable() || channel.read(in) >= 0)
                return false;
            want(in.flip().equals(ByteBuffer.wrap(sent)), "other bytes");
            channel.close();
            return true;
        }
    }

    private static void selector() throws Exception {
        try (Selector selector = Selector.open()) {
            for (int i = 0; i < 100; i++) {
                SocketChannel channel = SocketChannel.open();
                channel.configureBlocking(false);
                int first = channel.connect(new InetSocketAddress(address, nio))
                    ? SelectionKey.OP_READ | SelectionKey.OP_WRITE : SelectionKey.OP_CONNECT;
                channel.register(selector, first, new Echo(20000 + i));
            }
            for (int left = 100; left > 0; selector.selectedKeys().clear()) {
                selector.select();
                for (SelectionKey key : selector.selectedKeys())
                    left -= ((Echo)key.attachment()).event(key) ? 1 : 0;
            }
        }
    }

    private static void transfer() throws Exception {
        try (SocketChannel channel = SocketChannel.open(new InetSocketAddress(address, socket));
             FileChannel from = FileChannel.open(file)) {
            channel.write(ByteBuffer.wrap("s".getBytes()));
            for (long at = 0; at < from.size();)
                at += from.transferTo(at, from.size() - at, channel);
            channel.shutdownOutput();
            want(new String(channel.socket().getInputStream().readAllBytes()).equals(fileSum()), "other bytes");
        }
    }

    private static void asynchronous() throws Exception {
        try (AsynchronousSocketChannel channel = AsynchronousSocketChannel.open()) {
            channel.connect(new InetSocketAddress(address, nio)).get();
            byte[] sent = random(30000);
            ByteBuffer out = ByteBuffer.wrap(sent), in = ByteBuffer.allocate(sent.length);
            while (in.hasRemaining()) {
                if (out.hasRemaining())
                    channel.write(out).get();
                channel.read(in).get();
            }
            want(Arrays.equals(in.array(), sent), "other bytes");
        }
    }

    // ---------------------------------------------------------------------- Socket, ServerSocket

    private static Socket connect(char word) throws IOException {
        Socket s = new Socket(address, socket);
        s.getOutputStream().write(word);
        return s;
    }

    private static void threads() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(20);
        List<Future<Void>> all = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            all.add(pool.submit(() -> {
                try (Socket s = connect('e')) {
                    byte[] sent = random(20000);
                    FutureTask<Void> sending = new FutureTask<>(() -> {
                        OutputStream out = s.getOutputStream();
                        out.write(sent, 0, 10000);
                        s.sendUrgentData(sent[10000]); // which the server takes in line
                        out.write(sent, 10001, sent.length - 10001);
                        s.shutdownOutput();
                        return null;
                    });
                    JavaServers.daemon(sending).start();
                    want(Arrays.equals(s.getInputStream().readAllBytes(), sent), "other bytes");
                    sending.get();
                }
                return null;
            }));
        }
        for (Future<Void> one : all)
            one.get();
        pool.shutdown();
    }

    private static void timeouts() throws Exception {
        try (Socket s = connect('q')) {
            s.setSoTimeout(100);
            long began = System.nanoTime();
            wantError(SocketTimeoutException.class, () -> s.getInputStream().read());
            want(System.nanoTime() - began >= 100_000_000, "too early");
        }
        try (ServerSocket s = new ServerSocket(0)) {
            s.setSoTimeout(100);
            wantError(SocketTimeoutException.class, s::accept);
        }
        try (Socket s = new Socket()) {
            wantError(SocketTimeoutException.class,
                      () -> s.connect(new InetSocketAddress(System.getenv("HOLE"), 9), 100));
        }
        wantError(ConnectException.class, () -> new Socket(address, 10));
    }

    private static void reset() throws Exception {
        try (Socket s = connect('r')) {
            s.getOutputStream().write('!');
            wantError(SocketException.class, () -> s.getInputStream().read());
        }
    }

    // What can be read can be written, but for SO_INCOMING_NAPI_ID, and the SO_LINGER and sizes that are none.
    private static <T> void option(NetworkChannel c, SocketOption<T> option) {
        try {
            T value = c.getOption(option);
            if (option.name().equals("SO_INCOMING_NAPI_ID"))
                return;
            if (value instanceof Integer n && n < 0)
                return;
            c.setOption(option, value);
        } catch (IOException e) {
            throw new AssertionError(option.name(), e);
        }
    }

    private static void options(NetworkChannel c) {
        for (SocketOption<?> one : c.supportedOptions())
            option(c, one);
    }

    private static void allOptions() throws Exception {
        try (SocketChannel c = SocketChannel.open(); ServerSocketChannel s = ServerSocketChannel.open()) {
            options(c);
            options(s);
            c.connect(new InetSocketAddress(address, nio));
            options(c);
            s.bind(null);
            options(s);
        }
    }

    // close() does not wait until the thread that was in accept() has left it: whoever calls until then may be
    // accepted, or reset.
    private static void awaitRefusal() throws IOException {
        while (true) {
            try {
                new Socket(address, socket).close();
            } catch (ConnectException e) {
                return;
            } catch (SocketException e) {
                continue;
            }
        }
    }

    private static void close() throws Exception {
        try (Socket s = connect('c')) {
            want(s.getInputStream().read() == 'c', "it does not say that it closed");
            awaitRefusal();
            s.getOutputStream().write('.');
            want(s.getInputStream().read() == 'o', "it does not listen again");
            connect('e').close();
            s.getOutputStream().write("alive".getBytes());
            s.shutdownOutput();
            want(new String(s.getInputStream().readAllBytes()).equals("alive"), "it is dead");
        }
    }

    // What a call does whose socket another thread closes, or which is interrupted, while it blocks.
    private static void ended(Class<? extends Exception> kind, Check call, Check end) throws Exception {
        FutureTask<Void> blocked = new FutureTask<>(() -> {
            wantError(kind, call);
            return null;
        });
        Thread thread = JavaServers.daemon(blocked);
        thread.start();
        Thread.sleep(50); // it should block by then; if not, it ends in the same way
        if (end == null)
            thread.interrupt();
        else
            end.run();
        blocked.get();
    }

    private static void closedWhileBlocked() throws Exception {
        Socket s = connect('q');
        ended(SocketException.class, () -> s.getInputStream().read(), s::close);
        Socket full = connect('q');
        ended(SocketException.class, () -> full.getOutputStream().write(new byte[1 << 26]), full::close);
        ServerSocket server = new ServerSocket(0);
        ended(SocketException.class, server::accept, server::close);
        Socket calling = new Socket();
        InetSocketAddress hole = new InetSocketAddress(System.getenv("HOLE"), 9);
        ended(SocketException.class, () -> calling.connect(hole), calling::close);
        SocketChannel c = SocketChannel.open(new InetSocketAddress(address, nio));
        ended(ClosedChannelException.class, () -> c.read(ByteBuffer.allocate(1)), c::close);
        SocketChannel i = SocketChannel.open(new InetSocketAddress(address, nio));
        ended(ClosedByInterruptException.class, () -> i.read(ByteBuffer.allocate(1)), null);
        ServerSocketChannel l = ServerSocketChannel.open().bind(null);
        ended(ClosedChannelException.class, l::accept, l::close);
    }

    // ---------------------------------------------------------------------- all of them

    private static void check(String name, Check check) {
        try {
            check.run();
            System.out.println(name + " ok");
        } catch (Throwable e) {
            System.out.println(name + " failed");
            e.printStackTrace(System.out);
        }
    }

    public static void main(String[] args) {
        address = args[0];
        http = Integer.parseInt(args[1]);
        nio = Integer.parseInt(args[2]);
        socket = Integer.parseInt(args[3]);
        file = Path.of(args[4]);
        seen = args[5];
        folder = Path.of(args[6]);
        check("httpParallel", JavaClient::httpParallel);
        check("httpFile", JavaClient::httpFile);
        check("httpTimeouts", JavaClient::httpTimeouts);
        check("urlConnection", JavaClient::urlConnection);
        check("seenAddress", JavaClient::seenAddress);
        check("selector", JavaClient::selector);
        check("transfer", JavaClient::transfer);
        check("asynchronous", JavaClient::asynchronous);
        check("threads", JavaClient::threads);
        check("timeouts", JavaClient::timeouts);
        check("reset", JavaClient::reset);
        check("options", JavaClient::allOptions);
        check("close", JavaClient::close);
        check("closedWhileBlocked", JavaClient::closedWhileBlocked);
        System.exit(0);
    }
}
