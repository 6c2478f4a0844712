# SPDX-License-Identifier: Apache-2.0
"""Threads, locks, queues, events, a pool, thread-local data, timers."""
import concurrent.futures
import queue
import threading

total = 0
lock = threading.Lock()
local = threading.local()
out = queue.Queue()


def work(n):
    global total
    local.n = n
    for _ in range(2000):
        with lock:
            total += 1
    out.put(local.n)


threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(total, sorted(out.get() for _ in threads))

barrier = threading.Barrier(4)
event = threading.Event()
order = []


def meet(i):
    barrier.wait()
    event.wait()
    with lock:
        order.append(i)


threads = [threading.Thread(target=meet, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
timer = threading.Timer(0.05, event.set)
timer.start()
for t in threads:
    t.join()
print(sorted(order))

with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(lambda x: x * x, range(1000))))

condition = threading.Condition()
with condition:
    print(condition.wait(0.01))
print(threading.active_count())
