"""An nginx that has a Secret mounted, and loads it again when the files have changed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

from api import data_of, wait_until
from process import STOP_PATIENCE

NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} ssl;
        {directives}
        location / {{ return 200 "here\\n"; }}
    }}
}}
"""


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Volume:
    """A Secret as files; all of them change in one step, as in a Pod."""

    def __init__(self, folder, read):
        """read: says what the Secret holds."""
        folder.mkdir()
        self.folder, self.read, self.content, self.count = folder, read, None, 0
        self.data = folder / "data"

    def look(self):
        """Whether there is something new."""
        content = self.read()
        if content == self.content:
            return False
        self.count += 1
        target = self.folder / f"data-{self.count}"
        target.mkdir()
        for name, value in content.items():
            (target / name).write_bytes(value)
        link = self.folder / "link"
        link.symlink_to(target.name)
        os.replace(link, self.data)
        self.content = content
        return True


@contextlib.contextmanager
def served(folder, read, directives, port, every=None):
    """An nginx with these directives, in which /etc/tls is the Secret that read reads; every: seconds after which it is looked
    for changes."""
    volume = Volume(folder, read)
    volume.look()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, directives=directives.replace("/etc/tls", str(volume.data))))
    stopped = threading.Event()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stdout=log, stderr=log)

    def follow():
        while not stopped.wait(every):
            if volume.look():
                process.send_signal(signal.SIGHUP)  # as nginx -s reload does

    watcher = threading.Thread(target=follow, daemon=True)
    try:
        wait_until(lambda: f"nginx serves: {(folder / 'log').read_text()}", lambda: process.poll() or listens(port))
        assert process.poll() is None, (folder / "log").read_text()
        if every is not None:
            watcher.start()
        yield volume
    finally:
        stopped.set()
        if watcher.is_alive():
            watcher.join()
        process.terminate()
        process.wait(STOP_PATIENCE)


def secret_by_kubectl(name, environment):
    """What reads a Secret as whoever has that environment does."""

    def read():
        words = ["kubectl", "get", "secret", name, "--output", "json"]
        return data_of(json.loads(subprocess.run(words, env=environment, capture_output=True, check=True).stdout))

    return read
