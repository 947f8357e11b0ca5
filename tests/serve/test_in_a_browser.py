"""The page of `distiller serve` in a real browser, 390 pixels wide."""

import http.client
import re
import urllib.parse

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from serve.phone import Phone

from tflite.serving import read_served, single_page
from tflite.serving.certificate import certified


@pytest.fixture(scope="module")
def phone():
    found = Phone()
    yield found
    found.close()


def sentence(result, words):
    """The note of a result with some words in it."""
    (found,) = [note for note in result.notes if words in note]
    return found


def test_files_of_every_border_answer_as_the_interpreter(phone, serve, models):
    """Float: a sum in another order differs in the last digits. Integers: to the last bit."""
    served = serve(models)
    phone.open(served.address)
    assert phone.run("return self.crossOriginIsolated") is True
    for place, model in enumerate(models):
        if place:
            phone.choose(place)
        assert phone.text("name") == model.path.name
        assert ("takes uint8 for int8" in phone.text("copy")) == (
            "int8" in model.changes[0] if model.changes else False
        )
        assert phone.measure() == "Done"
        said = re.fullmatch(
            r"Answers (\d+) of 40 pictures as the interpreter on the computer does; (?:every output is the same|"
            r"an output differs by (\S+) at most)\. Right on (\d+) of 40\.",
            phone.text("agreement"),
        )
        span = float(np.ptp(model.answers))
        right = int((model.answers.argmax(axis=1) == model.truth).sum())
        assert int(said[1]) == 40
        assert int(said[3]) == right
        assert float(said[2] or 0) <= (1e-5 * span if "float" in model.path.name else 0)
        assert phone.send("A phone") == "Kept, thank you."
        found = served.received[place].results
        assert {result.path for result in found} == {model.path}
        assert f"Right on {right} of 40 images in the browser, on {right} here" in found[0].notes
        assert "gives here on 40;" in sentence(found[0], "Answers 40 images")
    # The test compares something: there is more than one answer, and they are not all the same.
    assert len(set(models[0].answers.argmax(axis=1).tolist())) > 1


def test_latencies_shown_and_sent_are_the_same(phone, serve, models):
    served = serve(models[:1])
    phone.open(served.address)
    assert not phone.at("choice").is_displayed()
    assert phone.measure() == "Done"
    shown = phone.times()
    phone.send("Ünë phone")
    (found,) = served.received
    cores = phone.run("return navigator.hardwareConcurrency")
    threads = [1] if cores == 1 else [1, min(4, cores)]
    assert [*shown] == [result.threads for result in found.results] == threads
    for result in found.results:
        median, p90, first = shown[result.threads]
        assert median == pytest.approx(result.median_ms, rel=0.006)
        assert p90 == pytest.approx(result.p90_ms, rel=0.006)
        assert first == pytest.approx(result.first_ms, rel=0.006)
        assert 0 < result.min_ms <= result.median_ms <= result.p90_ms
        assert result.warmup_runs >= 3
        assert result.runs >= 10
    assert re.fullmatch(r"Ünë phone \(.*Linux.*\), Chrome [\d.]+", found.results[0].device)
    build = "threaded_" if cores > 1 else ""
    assert found.results[0].versions["build"] == f"litert_wasm_{build}internal"


def test_a_photo_is_classified_as_the_interpreter_classifies_it(phone, serve, models, tmp_path):
    """A picture of the file's own size needs no resizing, so that the scores are known."""
    served = serve([models[2]])
    phone.open(served.address)
    path = tmp_path / "photo.png"
    for i in (3, 7):
        Image.fromarray(models[2].images[i]).save(path)
        found = phone.photograph(path)
        expected = models[2].answers[i]
        order = np.argsort(-expected, kind="stable")[:3]
        assert [*found] == [models[2].labels[place] for place in order]
        for place, score in zip(order, found.values(), strict=True):
            assert score == pytest.approx(float(expected[place]), rel=0.006)
    # A label is text, whatever it looks like.
    assert phone.driver.find_elements(By.CSS_SELECTOR, "#classes img, #classes b") == []
    assert served.received == []


def test_a_large_photo_is_made_smaller_and_a_broken_one_is_told(phone, serve, models, tmp_path):
    served = serve([models[0]])
    phone.open(served.address)
    large = tmp_path / "large.jpg"
    Image.new("RGB", (600, 720), (200, 30, 90)).save(large, quality=95)
    found = phone.photograph(large)
    plain = np.full((1, 12, 10, 3), (200, 30, 90), "uint8")
    expected = read_served(models[0].path, images=plain).answers[0]
    assert next(iter(found)) == models[0].labels[int(expected.argmax())]
    assert next(iter(found.values())) == pytest.approx(float(expected.max()), rel=0.05)
    seen = phone.run("const c = document.getElementById('seen'); return [c.width, c.height]")
    assert seen == [10, 12]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    phone.photograph(broken)
    assert phone.text("photo-state").startswith("This picture cannot be classified: ")


def test_a_photo_taken_meanwhile_waits_for_the_measurement(phone, serve, models, tmp_path):
    served = serve([models[2]])
    phone.open(served.address)
    path = tmp_path / "photo.png"
    Image.fromarray(models[2].images[5]).save(path)
    phone.start()
    phone.at("photo").send_keys(str(path))
    assert phone.finish() == "Done"
    phone.wait(lambda: phone.text("classes"))
    assert phone.text("classes").startswith(models[2].labels[int(models[2].answers[5].argmax())])
    assert "Answers 40 of 40 pictures" in phone.text("agreement")


def test_a_wrong_token_shows_nothing(phone, serve, models):
    served = serve(models[:1])
    phone.driver.get(served.address.replace(served.server.token, "A" * 22))
    assert phone.driver.find_element(By.TAG_NAME, "body").text == "Not Found"


def test_a_cut_connection_loses_no_results(phone, serve, models):
    """They stay in the page, and can be sent when the computer is there again."""
    served = serve(models[:1])
    phone.open(served.address)
    phone.measure()
    phone.driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    phone.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    assert phone.send().startswith("The computer cannot be reached")
    assert served.received == []
    phone.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**offline, "offline": False})
    assert phone.send() == "Kept, thank you."
    assert len(served.received) == 1


def test_a_file_that_is_replaced_meanwhile(phone, serve, models, tmp_path):
    """The page goes on with the one that it was given, and the results say so."""
    path = tmp_path / "model.tflite"
    path.write_bytes(models[0].original)
    model = read_served(path, images=models[0].images)
    served = serve([model])
    phone.open(served.address)
    path.write_bytes(models[2].original)
    phone.measure()
    assert "Answers 40 of 40 pictures" in phone.text("agreement")
    phone.send()
    assert sentence(served.received[0].results[0], "was replaced after it was served")


def test_two_phones_at_once(phone, serve, models):
    served = serve([models[2]])
    other = Phone()
    try:
        for each in (phone, other):
            each.open(served.address)
        for each in (phone, other):
            each.start()
        for name, each in (("first", phone), ("second", other)):
            assert each.finish() == "Done"
            assert "Answers 40 of 40 pictures" in each.text("agreement")
            assert each.send(name) == "Kept, thank you."
    finally:
        other.close()
    assert [found.results[0].device.partition(" ")[0] for found in served.received] == ["first", "second"]


def test_over_plain_http_from_elsewhere_one_thread_is_measured(serve, models):
    """A name that is not this machine's own, as a phone has for it."""
    elsewhere = Phone("--host-resolver-rules=MAP computer.test 127.0.0.1")
    try:
        served = serve(models[:1])
        elsewhere.open(served.server.address("computer.test"))
        assert elsewhere.run("return self.crossOriginIsolated") is False
        assert elsewhere.measure() == "Done"
        assert [*elsewhere.times()] == [1]
        assert "distiller serve --https measures several" in elsewhere.text("threads")
        assert elsewhere.send() == "Kept, thank you."
        assert served.received[0].results[0].versions["build"] == "litert_wasm_internal"
    finally:
        elsewhere.close()


def test_https_from_elsewhere_measures_several(serve, models):
    context, _ = certified(["computer.test"])
    rules = "--host-resolver-rules=MAP computer.test 127.0.0.1"
    elsewhere = Phone(rules, "--ignore-certificate-errors")  # as one does who looks at the fingerprint
    try:
        served = serve(models[:1], context=context)
        elsewhere.open(served.server.address("computer.test"))
        assert elsewhere.run("return self.crossOriginIsolated") is True
        assert elsewhere.measure() == "Done"
        assert 1 in elsewhere.times()
        assert elsewhere.send() == "Kept, thank you."
    finally:
        elsewhere.close()


def test_one_page_needs_no_server(phone, models, litert, tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(single_page([models[0], models[2]], litert))
    phone.open(path.as_uri())
    for place in (0, 1):
        phone.choose(place)
        assert phone.measure() == "Done"
        assert "Answers 40 of 40 pictures" in phone.text("agreement")
        assert [*phone.times()] == [1]
        assert not phone.at("sending").is_displayed()
    # It may ask nobody.
    said = phone.run("return await fetch('https://127.0.0.1:9/').then(() => 'went', () => 'did not')")
    assert said == "did not"


def test_no_script_of_others_runs_in_the_page(phone, serve, models):
    served = serve(models[:1])
    phone.open(served.address)
    phone.run(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">');"
        "try { setTimeout('window.hacked = 1') } catch {}"
        "await new Promise((go) => setTimeout(go, 200))"
    )
    assert phone.run("return window.hacked === undefined") is True


def test_another_site_can_neither_read_nor_send(phone, serve, models):
    """The browser asks before it sends JSON elsewhere, and the answer to that is no."""
    served, other = serve(models[:1]), serve(models[:1])
    phone.open(other.address)
    address = served.address.replace("127.0.0.1", "localhost")
    for options in (
        "{}",
        "{mode: 'no-cors'}",
        "{method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}}",
    ):
        said = phone.run(f"return await fetch('{address}results', {options}).then(() => 'went', () => 'did not')")
        assert said == "did not"
    place = urllib.parse.urlsplit(served.address)
    connection = http.client.HTTPConnection(place.hostname, place.port)
    connection.request("OPTIONS", f"{place.path}results", headers={"Origin": "http://other.test"})
    answer = connection.getresponse()
    assert answer.status == 405
    assert "Access-Control-Allow-Origin" not in answer.headers
    connection.close()


def test_numbers_are_rounded_and_ordered_as_numpy_does(phone, serve, models):
    served = serve(models[:1])
    phone.open(served.address)
    halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, -2.5001, 0, 126.5, 127.5]
    found = phone.run(f"const {{ roundHalfToEven }} = await import('scaling'); return {halves}.map(roundHalfToEven)")
    assert found == np.rint(halves).tolist()
    values = [3.0, 1.0, 10.0, 2.0, 7.5]
    for share in (0, 0.25, 0.5, 0.9, 1):
        script = f"const {{ percentile }} = await import('measure'); return percentile({values}, {share})"
        assert phone.run(script) == pytest.approx(np.percentile(values, 100 * share))
    script = "const { largest } = await import('scaling'); return [[1, 3, 3], [NaN, 1], [-Infinity, -5]].map(largest)"
    assert phone.run(script) == [1, -1, 1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_at_390_pixels(phone, serve, models, theme, request):
    served = serve(models)
    phone.open(served.address, theme)
    phone.choose(2)
    phone.measure()
    assert phone.run("return document.documentElement.scrollWidth") <= 390
    beyond = phone.run(
        "return [...document.querySelectorAll('main *, header *')].filter((e) => {"
        " const box = e.getBoundingClientRect(); return box.width > 1 && (box.left < 0 || box.right > innerWidth)"
        "}).map((e) => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []
    small = phone.run(
        "return [...document.querySelectorAll('button, .button, select, #phone')].filter((e) => e.offsetParent)"
        ".map((e) => e.getBoundingClientRect().height)"
    )
    assert len(small) >= 5
    assert min(small) >= 44  # pixels that a finger needs
