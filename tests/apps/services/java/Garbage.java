// SPDX-License-Identifier: Apache-2.0

// Threads that allocate, share and drop, until the collector has worked for its living.
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Garbage {
    static final Map<Integer, byte[]> shared = new ConcurrentHashMap<>();

    static long work(int seed) {
        long sum = 0;
        Map<Integer, String> live = new HashMap<>();
        for (int i = 0; i < 150_000; i++) {
            live.put(i % 5000, "value " + (i ^ seed));
            shared.put(i % 997, new byte[1 + i % 4000]);
            byte[] seen = shared.get(i % 991);
            sum += seen == null ? 0 : seen.length & 1;
        }
        sum = 0;
        for (Map.Entry<Integer, String> e : live.entrySet()) {
            sum += e.getKey() * 31L + e.getValue().hashCode();
        }
        return sum;
    }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Long>> jobs = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            int seed = i;
            jobs.add(pool.submit(() -> work(seed)));
        }
        long total = 0;
        for (Future<Long> j : jobs) {
            total += j.get();
        }
        pool.shutdown();
        long cycles = ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(x -> Math.max(0, x.getCollectionCount())).sum();
        System.out.println(total + " " + (cycles > 0) + " " + (Runtime.getRuntime().maxMemory() >> 20 > 1800));
        List<byte[]> hoard = new ArrayList<>();
        try {
            while (true) {
                hoard.add(new byte[64 << 20]);
            }
        } catch (OutOfMemoryError e) {
            boolean many = hoard.size() > 10;
            hoard = null;
            System.out.println("out of memory " + many);
        }
        System.gc();
        System.out.println(new byte[256 << 20].length);
    }
}
