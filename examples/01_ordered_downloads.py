"""Download the chapters of a book, three at a time, and use each the moment its turn comes.

The example brings its own web server, whose chapters take different times, and where one is missing.

Try: prefetch=1, prefetch=6; and leave out on_error="return", to see where the error comes out.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ordered_pipeline import ordered_map

# How long the server takes for each chapter. There is no chapter 4: that takes no time.
SECONDS = {1: 0.15, 2: 0.05, 3: 0.1, 5: 0.15, 6: 0.05}
CHAPTERS = range(1, 7)


async def main() -> None:
    with web_server() as (port, answered):

        async def download(chapter: int) -> str:
            return await asyncio.to_thread(fetch, port, f"/chapter/{chapter}")

        print("The chapters, as they are handed over:")
        start = time.monotonic()
        handed_over: list[str] = []
        async with ordered_map(download, CHAPTERS, prefetch=3, on_error="return") as texts:
            async for text in texts:
                print(f"  {time.monotonic() - start:.2f} s  {text}")
                handed_over.append("missing" if isinstance(text, Exception) else text)
        took_s = time.monotonic() - start

    print(f"The server was done with them in the order {' '.join(map(str, answered))}.")
    print(f"One after another they would have taken {sum(SECONDS.values()):.2f} s, and took {took_s:.2f} s.")
    print("In order: " + ", ".join(handed_over))


def fetch(port: int, path: str) -> str:
    """Return the text at *path*."""
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            raise HTTPException(f"{path}: {response.status} {response.reason}")
        return response.read().decode()


@contextmanager
def web_server() -> Iterator[tuple[int, list[int]]]:
    """Serve the book while the block lasts; give the port, and the chapters in the order of their answers."""
    answered: list[int] = []

    class Book(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            chapter = int(self.path.rpartition("/")[2])
            # What a real server would do meanwhile.
            time.sleep(SECONDS.get(chapter, 0))
            answered.append(chapter)
            self.send_response(HTTPStatus.OK if chapter in SECONDS else HTTPStatus.NOT_FOUND)
            self.end_headers()
            if chapter in SECONDS:
                self.wfile.write(f"chapter {chapter}".encode())

        def log_message(self, *_: object) -> None:
            """Do not write a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Book) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, answered
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    asyncio.run(main())
