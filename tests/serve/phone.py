"""A phone: Debian's Chromium with a profile of its own, 390 pixels wide."""

from pathlib import Path

from page.browser import Browser
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

# Seconds: WebAssembly of 9 MB is compiled, on a machine that may be busy.
PATIENCE = 120


class Phone:
    """The page as one uses it."""

    def __init__(self, *switches):
        self.browser = Browser(*switches)
        self.driver = self.browser.driver

    def close(self):
        self.browser.close()

    def open(self, address, theme="light"):
        """Open a page and wait until it can be used, or says that it cannot."""
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        wanted = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
        self.driver.get(address)
        self.wait(lambda: self.at("run").is_enabled() or self.text("state"))

    def at(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.at(name).text

    def wait(self, condition):
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.1).until(lambda _: condition())

    def choose(self, place):
        Select(self.at("model")).select_by_index(place)

    def start(self):
        self.at("run").click()

    def finish(self):
        self.wait(lambda: self.text("state").startswith(("Done", "It did not work")))
        return self.text("state")

    def measure(self):
        self.start()
        return self.finish()

    def times(self):
        """Threads → median, p90 and first run, as they are shown."""
        rows = self.at("times").find_elements(By.CSS_SELECTOR, "tbody tr")
        cells = [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]
        return {int(row[0]): [float(cell) for cell in row[1:]] for row in cells}

    def send(self, name=""):
        self.at("phone").clear()
        self.at("phone").send_keys(name)
        before = self.text("sent")
        self.driver.execute_script("document.getElementById('sent').textContent = ''")
        self.at("send").click()
        self.wait(lambda: self.text("sent") not in ("",))
        assert before is not None
        return self.text("sent")

    def photograph(self, path: Path):
        """Choose a picture; returns the classes with their scores."""
        self.driver.execute_script("document.getElementById('classes').replaceChildren()")
        self.at("photo").send_keys(str(path))
        self.wait(lambda: self.text("classes") or self.text("photo-state"))
        lines = self.driver.find_elements(By.CSS_SELECTOR, "#classes li")
        return {line.text.rpartition(" ")[0]: float(line.text.rpartition(" ")[2]) for line in lines}

    def run(self, script):
        """What an asynchronous script in the page returns."""
        wrapped = (
            f"const done = arguments[0]; (async () => {{ {script} }})().then(done, (error) => done(String(error)));"
        )
        return self.driver.execute_async_script(wrapped)
