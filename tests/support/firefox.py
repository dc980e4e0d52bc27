"""Drive a headless Firefox by WebDriver BiDi, which it speaks without a driver."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

#: Without what a new profile does first: start pages, and requests to the network.
_PREFERENCES = {
    "app.normandy.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.ipc.processCount": 1,
    "extensions.update.enabled": False,
}
#: The longest time to wait for an answer, in seconds; a busy machine may need some tens to start it.
_LONGEST = 180.0


class Firefox:
    """A window, with the methods of Selenium's drivers that tests of both browsers call.

    Attributes
    ----------
    messages : list of str
        What was written to the console, and errors in scripts.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._commands = 0
        self.messages: list[str] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        # Elements have no focus in the tab with which Firefox starts.
        self._context = self.call("browsingContext.create", type="tab")["context"]

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result; keep the messages that precede it."""
        self._commands += 1
        self._connection.send(json.dumps({"id": self._commands, "method": method, "params": parameters}))
        while True:
            received = json.loads(self._connection.recv())
            if received["type"] == "event":
                self.messages.append(received["params"]["text"])
            elif received["id"] == self._commands:
                assert received["type"] == "success", f"{method}: {received.get('message')}"
                return received["result"]

    def in_window(self, method: str, **parameters: Any) -> Any:
        """Send a command about the window."""
        return self.call(method, context=self._context, **parameters)

    def get(self, address: str) -> None:
        self.in_window("browsingContext.navigate", url=address, wait="complete")

    def resize(self, width: int, height: int) -> None:
        self.in_window("browsingContext.setViewport", viewport={"width": width, "height": height})

    def execute_script(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function; arguments and result are values of JSON."""
        return self._evaluated(f"(function () {{ {script} }}).apply(null, given)", arguments)

    def execute_async_script(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function that calls its last argument with the result."""
        call = f"(function () {{ {script} }}).apply(null, [...given, done])"
        return self._evaluated(f"new Promise((done) => {call})", arguments)

    def _evaluated(self, expression: str, arguments: tuple[Any, ...]) -> Any:
        done = self.call(
            "script.callFunction",
            functionDeclaration="async (text) => { const given = JSON.parse(text); "
            f"return JSON.stringify((await {expression}) ?? null); }}",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self._context},
            awaitPromise=True,
        )
        assert done["type"] == "success", done["exceptionDetails"]["text"]
        return json.loads(done["result"]["value"])

    def press(self, *keys: str) -> None:
        """Press keys one after another; special ones are those of `selenium.webdriver.common.keys`."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.in_window("input.performActions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def printed(self) -> bytes:
        """Return the page as PDF."""
        return base64.b64decode(self.in_window("browsingContext.print")["data"])

    def screenshot(self) -> bytes:
        """Return the whole page as PNG."""
        return base64.b64decode(
            self.in_window("browsingContext.captureScreenshot", origin="document")["data"]
        )


@contextlib.contextmanager
def firefox(profile: Path, **preferences: Any) -> Iterator[Firefox]:
    """Start Firefox with a new profile in a folder, or skip the test if it is missing."""
    websocket = pytest.importorskip("websocket", reason="websocket-client is missing: pip install '.[test]'")
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if not program:
        pytest.skip("a browser is missing: apt-get install firefox-esr")
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
        for name, value in (_PREFERENCES | preferences).items()
    ]
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"ws://127.0.0.1:{_port(profile, process)}/session"
        # Firefox refuses connections of web pages, which name their origin.
        connection = websocket.create_connection(address, timeout=_LONGEST, suppress_origin=True)
        with contextlib.closing(connection):
            window = Firefox(connection)
            yield window
            window.call("browser.close")
        process.wait(_LONGEST)
    finally:
        process.kill()
        process.wait()


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Wait for the port that Firefox chooses."""
    file, end = profile / "WebDriverBiDiServer.json", time.monotonic() + _LONGEST
    while time.monotonic() < end:
        assert process.poll() is None, "Firefox ended at once"
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return int(json.loads(file.read_text(encoding="utf-8"))["ws_port"])
        time.sleep(0.05)
    raise AssertionError("Firefox did not open its port")
