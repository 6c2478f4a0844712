# SPDX-License-Identifier: Apache-2.0
"""asyncio: tasks, timeouts, a TCP echo server with many clients, subprocess-free."""
import asyncio


async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = []
    for i in range(20):
        writer.write(f"client {n} line {i}\n".encode())
        got.append((await reader.readline()).decode().strip())
    writer.close()
    await writer.wait_closed()
    return got == [f"CLIENT {n} LINE {i}" for i in range(20)]


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    results = await asyncio.gather(*(client(port, n) for n in range(25)))
    print(sum(results), "clients served")
    server.close()
    await server.wait_closed()
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.02)
    except asyncio.TimeoutError:
        print("timed out")
    loop = asyncio.get_running_loop()
    print(await loop.run_in_executor(None, sum, range(1000)))
    q = asyncio.Queue(2)

    async def producer():
        for i in range(5):
            await q.put(i)

    task = asyncio.create_task(producer())
    print([await q.get() for _ in range(5)])
    await task


asyncio.run(main())
