# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a real browser: it loads, tells, changes what it is told to, and harms nothing."""

import shutil
import time

import pytest

from daemon import ROOT
from servers import small_server
from traffic import ending, exchange, is_refused
from waiting import eventually

pytest.importorskip("selenium", reason="selenium is not installed")

from browser import Browser, Relay  # noqa: E402

pytestmark = [
    pytest.mark.skipif(not shutil.which("node") or not (ROOT / "web/node_modules").exists(),
                       reason="node or web/node_modules is missing, so strait has no dashboard"),
    pytest.mark.xdist_group("browser"),
]

PAGE = "http://127.0.0.1:9900"
OWN_PAGES = ("chrome:", "chrome-untrusted:")  # the browser's own first tab asks for its parts, too
WEB = ("127.0.0.1", 8000)
CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to web
}
service closed {
    listen 127.0.0.1:8001
    deny 127.0.0.0/8
    to web
}
pool web {
    check tcp every=200ms timeout=300ms rise=1 fall=1
    server 127.0.0.1:9001 name=blue
    server 127.0.0.1:9002 name=green weight=2
}
"""
SECTIONS = ["exposed", "flow", "map", "servers", "talkers", "refused", "flows", "events"]


@pytest.fixture
def servers(loopback):
    return {n: small_server(loopback.server, "echo", ("127.0.0.1", 9001 + i), n) for i, n in enumerate(("blue", "green"))}


@pytest.fixture
def daemon(strait, loopback, servers):
    made = strait(loopback.proxy, f"admin 127.0.0.1:9900\n{CONFIGURATION}")
    made.wait_for_state("web", "green", "up")
    return made


@pytest.fixture
def browser(loopback):
    return Browser(loopback.client)


@pytest.fixture
def page(browser, daemon):
    """The page, live."""
    browser.open(PAGE)
    browser.wait_for_text("live", ".stream")
    browser.wait_for_text("2 of 2 servers up", "#exposed")
    return browser


def get(loopback, target, *headers):
    """Status, headers and body of a request to the TCP listener."""
    with loopback.client.connect(("127.0.0.1", 9900)) as s:
        s.sendall("\r\n".join([f"GET {target} HTTP/1.1", "Host: 127.0.0.1:9900", "Connection: close", *headers, "", ""]).encode())
        answer = b""
        while part := s.recv(1 << 16):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), body


# how it is served

def test_files(daemon, loopback):
    """The page and its files: strict policy, types, tags, packed, kept by browsers as long as they may."""
    status, headers, body = get(loopback, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-cache")
    assert b"style=" not in body and b"<script>" not in body and b"onload" not in body
    assert get(loopback, "/", f"If-None-Match: {headers['ETag']}")[0] == 304
    names = [part.split(b'"')[0].decode() for part in body.split(b'"/assets/')[1:]]
    assert len(names) == 4
    for name in names:
        status, headers, plain = get(loopback, f"/assets/{name}")
        assert status == 200 and "immutable" in headers["Cache-Control"] and headers["Vary"] == "Accept-Encoding"
        status, headers, packed = get(loopback, f"/assets/{name}", "Accept-Encoding: br, gzip")
        assert headers["Content-Encoding"] == "gzip" and packed[:2] == b"\x1f\x8b"
        assert len(plain) < 1000 or len(packed) < len(plain) / 2
    assert get(loopback, "/assets/nothing.js")[0] == 404
    assert get(loopback, "/v1")[2].startswith(b"strait admin API\n")


def test_loads(page, daemon):
    """All sections are there, nothing is asked of anybody else, and the console hears no complaint."""
    assert page.run("return [...document.querySelectorAll('main section')].map((s) => s.id)") == SECTIONS
    assert page.run("return document.querySelectorAll('main h2').length") == len(SECTIONS)
    time.sleep(2)
    asked = page.requests()
    assert any(url.endswith("/v1/status") for url in asked)
    assert [url for url in asked if not url.startswith((f"{PAGE}/", "data:", *OWN_PAGES))] == []
    assert page.complaints() == []


# what it tells

def test_numbers_move(page, loopback):
    """Flows that open are counted, and rates are shown, without the page being loaded again."""
    assert page.cell("exposed", "web", "Active") == "0"
    with exchange(loopback.client.connect(WEB)), exchange(loopback.client.connect(WEB)):
        eventually(lambda: page.cell("exposed", "web", "Active") == "2", 20, every=0.2)
        eventually(lambda: page.cell("flow", "web", "Flows") != "0/s", 20, every=0.2)
    eventually(lambda: page.cell("exposed", "web", "Active") == "0", 20, every=0.2)


def test_who_talks_and_whether_it_is_usual(page, loopback):
    """Sections 2 and 5 have what the trends say: sources and their shares, who is new, servers, and what is usual."""
    for source, count in {"127.0.0.7": 3, "127.0.0.8": 1}.items():
        for _ in range(count):
            with loopback.client.connect(WEB, source=(source, 0)) as s:
                exchange(s)
    assert is_refused(loopback.client, ("127.0.0.1", 8001), source=("127.0.0.9", 0))
    page.wait_for_text("Most flows come from 127.0.0.7: 75", "#talkers")
    for text in ("New in this time: 127.0.0.7", "127.0.0.9", "web 2", "Where they were sent", "blue", "green"):
        page.wait_for_text(text, "#talkers")
    page.wait_for_text("not known yet", "#flow")
    assert page.complaints() == []


def test_a_server_goes_down(page, daemon, servers):
    """It is said first, with its cause; in the map it has a mark besides its colour; and among what happened."""
    servers["blue"].kill()
    page.wait_for_text("1 of 2 servers down (blue)", "#exposed .problems")
    page.wait_for_text("down", "#servers")
    page.wait_for_text("✕ blue", "#map svg")
    assert "Servers down: blue" in page.run("return document.querySelector('#map svg').getAttribute('aria-label')")
    servers["blue"].start_again()
    page.wait_for_text("2 of 2 servers up", "#exposed")
    page.wait_for_no_text("down", "#exposed .problems")


def test_refused(page, loopback):
    """Why flows were refused is told in words."""
    for _ in range(3):
        assert is_refused(loopback.client, ("127.0.0.1", 8001))
    page.wait_for_text("3 flows refused", "#refused")
    page.wait_for_text("An access rule denies the client", "#refused")
    assert page.cell("refused", "An access rule denies the client, the flow would go round, or its source is forged",
                     "Services") == "closed 3"


def test_packet_guard(page, loopback):
    """Where packets are judged and what was dropped is told beside what was refused."""
    page.wait_for_text("Packets dropped before they became a flow", "#refused h3")
    page.wait_for_text("there is nothing to judge. None was dropped", "#refused")


def test_events(page, daemon, servers):
    """What happens is told in words, newest first, and drawn as a line of time."""
    servers["blue"].kill()
    page.wait_for_text("blue in web is down", "#events")
    page.wait_for_text("web/blue", "#servers .timeline")
    assert "blue in web is down" in page.text("#events li")
    eventually(lambda: page.run("return document.querySelector('#events details').open") or page.click("#events summary"),
               20, what="the event's record is open")  # the page above may still grow, and a click miss
    page.wait_for_text('"event":"server_down"', "#events")


def test_a_failed_reload(page, daemon):
    """That the last reload failed is among the problems."""
    daemon.hang_up("nonsense")
    page.wait_for_text("The last reload failed", "#exposed .problems")
    page.wait_for_text("A reload failed, generation 1 stays in force: ", "#events")


def test_reload_changes_the_page(page, daemon):
    """Services that come with a reload come to the page."""
    daemon.hang_up(f"admin 127.0.0.1:9900\n{CONFIGURATION}\nservice late {{ listen 127.0.0.1:8002; to web }}\n")
    eventually(lambda: page.cell("exposed", "late", "Active") == "0", 20, every=0.2)


# what it changes

def test_drain_and_undo(page, daemon):
    """A server is drained with one click, and the way back is one click, too."""
    page.click_button("Drain blue in web")
    daemon.wait_for_state("web", "blue", "drain")
    page.wait_for_text("blue in web is drained", ".bar")
    eventually(lambda: page.cell("servers", "blue", "State") == "◌drained", 20, every=0.2)
    page.click_button("Undo")
    daemon.wait_for_state("web", "blue", "up")
    page.wait_for_text("Taken back", ".bar")


def test_weight_and_undo(page, daemon):
    """A weight is changed in place, and taken back."""
    page.click_button("Weight of green in web: 2. Change")
    page.fill(".weight input", "7")
    time.sleep(2.5)  # the page is drawn again each second, around what is being typed
    assert page.run("return document.activeElement.name") == "weight"
    page.click_button("Set")
    eventually(lambda: daemon.server("web", "green")["weight"] == 7)
    page.click_button("Undo")
    eventually(lambda: daemon.server("web", "green")["weight"] == 2)


def test_maint_and_ready(page, daemon):
    """Maintenance and back by the buttons of the row."""
    page.click_button("Maint green in web")
    daemon.wait_for_state("web", "green", "maint")
    page.click_button("Ready green in web")
    daemon.wait_for_state("web", "green", "up")


def test_a_change_that_is_refused(page, daemon):
    """What strait says about a change that cannot be made is shown."""
    page.run("window.realFetch = fetch; window.fetch = (path, options) => options.method === 'PATCH' "
             "? realFetch(path.replace('blue', 'nobody'), options) : realFetch(path, options)")
    page.click_button("Drain blue in web")
    page.wait_for_text("was not changed: the pool has no server of that name", ".bar")
    assert daemon.server("web", "blue")["state"] == "up"


def test_close_a_flow(page, loopback):
    """A flow is closed after a question; who answers no keeps it."""
    with exchange(loopback.client.connect(WEB)) as s:
        page.run("document.querySelector('#flows').scrollIntoView()")
        page.wait_for_text("1 is open", "#flows")
        page.click("#flows td .actions button")
        page.wait_for_text("Close this flow?", "dialog")
        page.click_button("Cancel")
        exchange(s)
        page.click("#flows td .actions button")
        page.click_button("Close the flow")
        assert ending(s) in ("reset", "fin")
        page.wait_for_text("is closed", ".bar")


def test_filter_flows(page, loopback):
    """Flows are found by client; a filter that strait does not understand is explained."""
    with exchange(loopback.client.connect(WEB, source=("127.0.0.5", 0))), exchange(loopback.client.connect(WEB)):
        page.run("document.querySelector('#flows').scrollIntoView()")
        page.wait_for_text("2 are open", "#flows")
        page.fill("#flows input[placeholder^=address]", "127.0.0.5/32\n")
        page.wait_for_text("1 is open", "#flows")
        page.fill("#flows input[placeholder^=address]", "nonsense\n")
        page.wait_for_text("client is an address", "#flows")


# how it looks and is used

def background(browser):
    red = browser.run("return getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0]
    return "dark" if int(red) < 128 else "light"


def test_light_and_dark(page):
    """As the system prefers, or as chosen, which is remembered."""
    assert background(page) == "light"
    page.prefer(color_scheme="dark")
    assert background(page) == "dark"
    page.click_button("Light")
    assert background(page) == "light"
    page.driver.refresh()
    page.wait_for_text("live", ".stream")
    assert background(page) == "light"
    page.prefer(color_scheme="light")
    page.click_button("Dark")
    assert background(page) == "dark"


def test_keys(page):
    """It can be used without a pointer: a way past the top, single keys, a list of them, and focus that is seen."""
    page.press("\ue004")  # Tab
    assert page.run("return document.activeElement.innerText") == "Skip to the content"
    page.press("4")
    assert page.run("return document.activeElement.id") == "servers"
    page.press("?")
    page.wait_for_text("go to a section", "dialog")
    page.press("\ue00c")  # Escape
    eventually(lambda: not page.run("return document.querySelector('dialog')"))
    page.press("t")
    assert page.run("return document.documentElement.dataset.theme") == "light"
    page.run("document.querySelector('#servers .actions button').focus()")
    page.press("\ue004")
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_undo_by_key(page, daemon):
    """`u` takes the last change back."""
    page.click_button("Drain blue in web")
    daemon.wait_for_state("web", "blue", "drain")
    page.wait_for_text("is drained", ".bar")
    page.run("document.activeElement.blur()")
    page.press("u")
    daemon.wait_for_state("web", "blue", "up")


def test_reduced_motion(page):
    """Nothing moves for those who do not want it."""
    get_motion = "return [getComputedStyle(document.querySelector('.link path')).transitionDuration, " \
                 "getComputedStyle(document.documentElement).scrollBehavior]"
    assert page.run(get_motion) == ["0.6s", "smooth"]
    page.prefer(reduced_motion="reduce")
    assert page.run(get_motion) == ["0s", "auto"]


def test_words_for_pictures(page):
    """Charts and map can be heard."""
    labels = page.run("return [...document.querySelectorAll('[role=img]')].map((e) => e.getAttribute('aria-label'))")
    assert any(label.startswith("Flows per second, the last 10 minutes. new: now") for label in labels)
    assert any(label.startswith("Services: web") for label in labels)
    assert all(labels)


@pytest.mark.parametrize("width", [1280, 360])
def test_axe(loopback, daemon, servers, width):
    """axe-core finds nothing in light and dark, wide and narrow, with and without trouble, with a dialog open."""
    browser = Browser(loopback.client, width=width)
    browser.open(PAGE)
    browser.wait_for_text("2 of 2 servers up", "#exposed")
    with exchange(loopback.client.connect(WEB)):
        for scheme in ("light", "dark"):
            browser.prefer(color_scheme=scheme)
            assert browser.axe() == [], scheme
        servers["blue"].kill()
        browser.wait_for_text("1 of 2 servers down", "#exposed")
        for scheme in ("light", "dark"):
            browser.prefer(color_scheme=scheme)
            assert browser.axe() == [], scheme
    browser.click_button("Keys and help")
    browser.wait_for_text("go to a section", "dialog")
    assert browser.axe() == []


def test_phone(loopback, daemon, servers):
    """At 360 pixels nothing stands beyond the edge, whatever state it is in."""
    browser = Browser(loopback.client, width=360)
    browser.open(PAGE)
    browser.wait_for_text("2 of 2 servers up", "#exposed")
    with exchange(loopback.client.connect(WEB)):
        servers["blue"].kill()
        browser.wait_for_text("1 of 2 servers down", "#exposed")
        browser.run("document.querySelector('#flows').scrollIntoView()")
        browser.wait_for_text("is open", "#flows")
        browser.click_button("Drain green in web")
        browser.wait_for_text("is drained", ".bar")
        assert browser.overflow() == 0
        wide = browser.run("""return [...document.querySelectorAll('main *')].filter((e) =>
            e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('svg, .u-wrap, .unseen')).map((e) => e.outerHTML)""")
        assert wide == []


# the stream

def test_tabs_share_one_stream(daemon, browser, loopback):
    """Two tabs, one connection for events; it stays as long as one of them does, and ends with the last."""
    relay = Relay(loopback.proxy.listen(("127.0.0.1", 9980)), lambda: loopback.proxy.connect(("127.0.0.1", 9900)))
    browser.open("http://127.0.0.1:9980/")
    browser.wait_for_text("live", ".stream")
    first = browser.driver.current_window_handle
    browser.new_tab("http://127.0.0.1:9980/")
    browser.wait_for_text("live", ".stream")
    browser.wait_for_text("2 of 2 servers up", "#exposed")
    assert (relay.streams_open, relay.streams_total) == (1, 1)
    browser.driver.close()
    browser.driver.switch_to.window(first)
    with exchange(loopback.client.connect(WEB)):
        eventually(lambda: browser.cell("exposed", "web", "Active") == "1", 20, every=0.2)
    assert (relay.streams_open, relay.streams_total) == (1, 1)
    # A page that is left by another address may be kept, and its worker with it, for the way back.
    browser.new_tab("about:blank")
    empty = browser.driver.current_window_handle
    browser.driver.switch_to.window(first)
    browser.driver.close()
    browser.driver.switch_to.window(empty)
    eventually(lambda: relay.streams_open == 0, 20, what="nobody streams")
    relay.close()


def test_without_shared_worker(daemon, browser, loopback):
    """A browser without SharedWorker has a stream of its own."""
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", source="delete window.SharedWorker")
    browser.open(PAGE)
    browser.wait_for_text("live", ".stream")
    with exchange(loopback.client.connect(WEB)):
        eventually(lambda: browser.cell("exposed", "web", "Active") == "1", 20, every=0.2)


def test_survives_a_restart(page, daemon, strait, loopback):
    """While strait is away the page says so and how old its numbers are; then it goes on by itself."""
    daemon.stop()
    page.wait_for_text("connection lost: numbers are", ".stream")
    page.wait_for_text("Connection lost", "[role=alert]")
    again = strait(loopback.proxy, f"admin 127.0.0.1:9900\n{CONFIGURATION}")
    page.wait_for_text("live", ".stream")
    assert page.text("[role=alert]") == ""
    with exchange(loopback.client.connect(WEB)):
        eventually(lambda: page.cell("exposed", "web", "Active") == "1", 20, every=0.2)
    page.click_button("Drain blue in web")
    again.wait_for_state("web", "blue", "drain")
    page.wait_for_text("strait 0.", "#events")


def test_hangs(page, daemon):
    """A strait that no longer answers is noticed though the connection stays, and old numbers are called old."""
    daemon.program.stop_and_hold()
    try:
        page.wait_for_text("numbers are", ".stream")
    finally:
        daemon.program.resume()
    page.wait_for_text("live", ".stream")


def test_token(strait, loopback, servers, browser):
    """Where a token is set the page asks for it, says when it is wrong, and other tabs need not be told again."""
    path = loopback.directory / "token"
    path.write_text("s3cret\n")
    strait(loopback.proxy, f"admin 127.0.0.1:9900 token=file:{path}\n{CONFIGURATION}")
    browser.open(PAGE)
    browser.wait_for_text("wants its token", "dialog")
    assert "web" not in browser.text("#exposed")
    browser.fill("dialog input", "wrong")
    browser.click_button("Use it")
    browser.wait_for_text("That was not the token", "dialog")
    browser.fill("dialog input", "s3cret")
    browser.click_button("Use it")
    browser.wait_for_text("2 services", "#exposed")
    browser.wait_for_text("live", ".stream")
    assert not browser.run("return document.querySelector('dialog')")
    browser.click_button("Drain blue in web")
    browser.wait_for_text("is drained", ".bar")
    browser.new_tab(PAGE)
    browser.wait_for_text("2 services", "#exposed")
    assert not browser.run("return document.querySelector('dialog')")
    assert browser.run("return document.cookie + JSON.stringify(localStorage)") == "{}"


# hostile and large

HOSTILE = ["<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">",
           "\u202egnp.exe\u202c", "a" * 60 + "\u05d0\u05d1\u05d2" * 5, "'\"><svg onload=alert(1)>"]


def test_hostile_names(strait, loopback, browser):
    """Whatever stands in a name is text: no element, no script, no turned direction, no broken layout."""
    def quoted(name):
        return name.replace("/", "\u2215").replace("\\", "\\\\").replace('"', '\\"')
    lines = "\n".join(f'    server "unix:/run/{quoted(name)}"' for name in HOSTILE)
    daemon = strait(loopback.proxy, "admin 127.0.0.1:9900\nservice s { listen 127.0.0.1:8000; to p }\n"
                    f"pool p {{\n    check tcp every=200ms timeout=300ms rise=1 fall=1\n{lines}\n}}\n", is_ready="/livez")
    daemon.wait_for_event("server_down")
    for width in (1280, 360):
        if width == 360:
            browser.cdp("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=True)
        browser.open(PAGE)
        browser.wait_for_text("no server is up", "#exposed .problems")
        browser.wait_for_text("<script>do", "#servers")
        browser.wait_for_text("‹202E›gnp.exe", "#servers")
        assert browser.run("return document.title") == "strait"
        assert browser.run("return document.querySelectorAll('#page script, #page img, #page [onload]').length") == 0
        assert browser.overflow() == 0
        assert browser.axe() == []
    assert browser.complaints() == []


@pytest.mark.slow
def test_a_thousand_services(strait, loopback, servers, browser):
    """A large configuration is shown in part, can be searched, and leaves the page quick."""
    services = "".join(f"service s{i} {{ listen 127.0.0.1:{10000 + i}; to p{i % 100} }}\n" for i in range(1000))
    pools = "".join(f"pool p{i} {{ check none; server 127.0.0.1:9001 name=a; server 127.0.0.1:9002 name=b }}\n"
                    for i in range(100))
    daemon = strait(loopback.proxy, f"admin 127.0.0.1:9900\n{services}{pools}", nofile=8192)
    browser.open(PAGE)
    browser.wait_for_text("1\u202f000 services", "#exposed", timeout=60)
    browser.wait_for_text("990 more services", "#map svg", timeout=60)
    assert browser.run("return document.querySelectorAll('#map .box').length") < 200
    assert browser.run("return document.querySelectorAll('#exposed tbody tr').length") == 40
    browser.fill("#exposed input[type=search]", "s777")
    eventually(lambda: browser.run("return document.querySelectorAll('#exposed tbody tr').length") == 1, 30)
    with exchange(loopback.client.connect(("127.0.0.1", 10777))):
        eventually(lambda: browser.cell("exposed", "s777", "Active") == "1", 30, every=0.2)
    assert browser.complaints() == []
