# SPDX-License-Identifier: Apache-2.0
"""
A real browser in a network namespace of the laboratory: Chromium, driven by chromedriver, both in the place that they
look from. Only the driver's own connection comes from outside, over a relay of the test process.
"""

import itertools
import json
import socket
import threading

from selenium import webdriver
from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
from selenium.webdriver.common.by import By

from daemon import ROOT
from lab import program_path
from waiting import eventually

PORTS = itertools.count(9515)
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def pump(source, target, note=None):
    """Passes bytes on until the end; note(data) is told of each piece."""
    try:
        while data := source.recv(1 << 16):
            if note:
                note(data)
            target.sendall(data)
    except OSError:
        pass
    for s in (source, target):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Relay:
    """Accepts on a listening socket and passes on to connect(); counts the connections that ask for the event stream."""

    def __init__(self, listener, connect):
        self.listener, self.connect = listener, connect
        self.listener.settimeout(None)
        self.address = listener.getsockname()
        self.streams_open = self.streams_total = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()
            except OSError:
                return

    def serve(self, client):
        is_stream = False

        def note(data):
            nonlocal is_stream
            if data.startswith(b"GET /v1/events") and not is_stream:
                is_stream = True
                self.streams_open += 1
                self.streams_total += 1
        try:
            with client, self.connect() as server:
                server.settimeout(None)
                threading.Thread(target=pump, args=(client, server, note), daemon=True).start()
                pump(server, client)
        except OSError:
            client.close()
        if is_stream:
            self.streams_open -= 1

    def close(self):
        self.listener.close()


class Browser:
    def __init__(self, place, width=1280, height=900):
        self.place = place
        port = next(PORTS)
        home = place.lab.directory / f"browser-{port}"
        home.mkdir()
        self.program = place.start(program_path("chromedriver"), f"--port={port}", env={"HOME": str(home)})
        eventually(lambda: place.connect(("127.0.0.1", port)).close() or True, 20, what="chromedriver listens")
        self.relay = Relay(socket.create_server(("127.0.0.1", 0)), lambda: place.connect(("127.0.0.1", port)))
        place.lab.closers.append(self)
        options = webdriver.ChromeOptions()
        for argument in [*ARGUMENTS, f"--window-size={width},{height}", f"--user-data-dir={home}/data"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        executor = ChromiumRemoteConnection(f"http://127.0.0.1:{self.relay.address[1]}", browser_name="chrome",
                                            vendor_prefix="goog", keep_alive=True)
        self.driver = webdriver.Remote(command_executor=executor, options=options)
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)
        if width < 500:  # windows cannot be that narrow, phones can
            self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)

    def close(self):
        try:
            self.driver.quit()
        finally:
            self.relay.close()
            self.program.kill()

    def cdp(self, command, **parameters):
        return self.driver.execute("executeCdpCommand", {"cmd": command, "params": parameters})["value"]

    def prefer(self, **features):
        """prefer(color_scheme="dark"): what the system of the user prefers."""
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()])

    def open(self, address):
        self.driver.get(address)

    def new_tab(self, address):
        self.driver.switch_to.new_window("tab")
        self.driver.get(address)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    # looking

    def text(self, selector="body"):
        """What can be seen there; "" when there is nothing of it."""
        return self.run("const e = document.querySelector(arguments[0]); return e ? e.innerText ?? e.textContent : ''", selector)

    def wait_for_text(self, text, selector="body", timeout=30):
        eventually(lambda: text in self.text(selector), timeout, every=0.1, what=f"{selector} says {text!r}, not "
                   f"{self.text(selector)[:2000]!r}")

    def wait_for_no_text(self, text, selector="body", timeout=30):
        eventually(lambda: text not in self.text(selector), timeout, every=0.1, what=f"{selector} no longer says {text!r}")

    def cell(self, section, name, label):
        """The text of a cell: of the row of a section's tables that begins with a name, under a heading."""
        return self.run("""
            for (const row of document.querySelectorAll(`#${arguments[0]} tbody tr`)) {
                const cell = row.querySelector(`td[data-label="${arguments[2]}"]`);
                if (cell && row.cells[0].innerText.split('\\n')[0].trim() === arguments[1])
                    return cell.innerText;
            }
            return null;""", section, name, label)

    # acting

    def click(self, selector, timeout=20):
        """Clicks as a user would, once it is there."""
        def clicked():
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            if not found:
                return False
            self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found[0])
            found[0].click()
            return True

        def quietly():
            try:
                return clicked()
            except Exception as error:  # drawn anew in between: try again
                raise AssertionError(str(error)) from error
        eventually(quietly, timeout, every=0.1, what=f"{selector} can be clicked")

    def click_button(self, label):
        """By its label for those who do not see it, or its text."""
        found = json.dumps(label)
        eventually(lambda: self.run(f"""
            const button = [...document.querySelectorAll('button')].find((b) =>
                (b.getAttribute('aria-label') ?? b.innerText.trim()) === {found});
            for (const other of document.querySelectorAll('[data-test-target]'))
                delete other.dataset.testTarget;
            if (button)
                button.dataset.testTarget = 'yes';
            return Boolean(button);"""), 20, what=f"a button {label}")
        self.click("[data-test-target]")

    def press(self, keys):
        self.driver.switch_to.active_element.send_keys(keys)

    def fill(self, selector, text):
        field = eventually(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), 20, what=selector)[0]
        field.clear()
        field.send_keys(text)

    # judging

    def complaints(self):
        """What the console has been told, warnings included."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self):
        """Addresses that were asked for since the last time."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def axe(self):
        """Violations that axe-core finds, as lines."""
        assert AXE.exists(), "axe-core is missing: run scripts/fetch_page_modules"
        self.cdp("Runtime.evaluate", expression=AXE.read_text())
        found = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((result) => done(result.violations), (e) => done(String(e)));""")
        assert isinstance(found, list), found
        return [f"{v['id']}: {v['help']}: {n['target']} {n.get('failureSummary', '')}" for v in found for n in v["nodes"]]
