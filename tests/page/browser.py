"""Debian's Chromium, driven without a window."""

import os
import shutil

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


class Browser:
    """A page as one sees it: its size, light or dark, what it says in the console.

    Each has a new profile. `switches` are Chromium's own.
    """

    def __init__(self, *switches):
        programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
        if None in programs.values():
            raise RuntimeError("The page is tested in a browser: apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = programs["chromium"]
        options.add_argument("--headless=new")
        options.add_argument("--disable-gpu")
        options.add_argument("--hide-scrollbars")
        if os.geteuid() == 0:  # a container; Chromium refuses its sandbox there
            options.add_argument("--no-sandbox")
        for switch in switches:
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # An alert of the page would be closed in silence: the test asks for it.
        options.set_capability("unhandledPromptBehavior", "ignore")
        self.driver = webdriver.Chrome(options=options, service=Service(programs["chromedriver"]))

    def close(self):
        self.driver.quit()

    def show(self, path, width, theme):
        """Open a file in a window of that many pixels; returns what the console said."""
        self.driver.get_log("browser")
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        wanted = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
        self.driver.get(path.as_uri())
        return self.driver.get_log("browser")

    def ask(self, script):
        """What a script in the page returns."""
        return self.driver.execute_script(f"return {script}")
