"""One browser for all tests of the page."""

import pytest


@pytest.fixture(scope="session")
def browser():
    from page.browser import Browser

    found = Browser()
    yield found
    found.close()
