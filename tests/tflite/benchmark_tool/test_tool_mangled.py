"""Text that lost pieces: the documented error, or numbers that are all true; never a wrong one."""

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support.fake_device import generations, profiles
from support.fake_device.generations import GENERATIONS, Phase, Run

from tflite import ModelError
from tflite.benchmark_tool.log import parse_log
from tflite.benchmark_tool.operator_profile import parse_profile
from tflite.benchmark_tool.result_proto import ResultFile, parse_result

RUN = Run(Phase((2190, 83, 84, 81)), Phase((109, 82, 80, 443, 78, 82)), threads=4, peak_mb=7.44531)
TEXTS = {name: generations.text(name, RUN) for name in GENERATIONS}
ROWS = [("CONV_2D", "[a, b]:0", 0.0625), ("Fully Connected (NC, F32) GEMM", "[c;d]:1", 0.03125), ("ADD", "e", 0.5)]
PROFILES = [profiles.whole(form(ROWS)) for form in (profiles.printed, profiles.written)]
QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def read(parse, text):
    try:
        return parse(text)
    except ModelError:
        return None


def numbers(log):
    runs = {f"runs.{name}": value for name, value in vars(log.runs).items()}
    others = {name: value for name, value in vars(log).items() if isinstance(value, int | float)}
    return {name: value for name, value in {**runs, **others}.items() if value is not None}


def holds(got, text):
    """Whether every number is that of the whole text; LiteRT's own are rounded to hundredths of a millisecond."""
    true = numbers(parse_log(text))
    rounding = 5.01 if "BENCHMARK RESULTS" in text else 0
    return all(abs(value - true[name]) <= rounding for name, value in numbers(got).items())


@QUICK
@given(st.sampled_from(sorted(GENERATIONS)), st.data())
def test_cut_off_at_any_letter(generation, data):
    text = TEXTS[generation]
    end = data.draw(st.integers(0, len(text)))
    start = data.draw(st.integers(0, end)) if data.draw(st.booleans()) else 0
    got = read(parse_log, text[start:end])
    assert got is None or holds(got, text)


def test_cut_off_at_every_letter_of_the_end():
    for text in TEXTS.values():
        finished = text.rfind("nference")
        for end in range(len(text) - 400, len(text)):
            got = read(parse_log, text[:end])
            assert got is None or (end > finished and holds(got, text))


@QUICK
@given(st.sampled_from(sorted(GENERATIONS)), st.data())
def test_lines_missing(generation, data):
    lines = TEXTS[generation].splitlines(keepends=True)
    kept = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    got = read(parse_log, "".join(line for line, keep in zip(lines, kept, strict=True) if keep))
    assert got is None or holds(got, TEXTS[generation])


@QUICK
@given(st.sampled_from(sorted(GENERATIONS)), st.data())
def test_a_piece_missing_from_within(generation, data):
    """From one line into another. A piece that ends right before a line break leaves what nobody can tell."""
    text = TEXTS[generation]
    breaks = [i for i, letter in enumerate(text[:-1]) if letter == "\n"]
    within = data.draw(st.sampled_from(breaks))
    start, end = data.draw(st.integers(0, within)), data.draw(st.integers(within + 1, len(text)))
    assume(text[end : end + 1] != "\n")
    got = read(parse_log, text[:start] + text[end:])
    assert got is None or holds(got, text)


@QUICK
@given(st.sampled_from(sorted(GENERATIONS)), st.lists(st.text(max_size=60), max_size=4), st.randoms())
def test_other_lines_between(generation, others, random):
    lines = TEXTS[generation].splitlines()
    expected = parse_log(TEXTS[generation])
    for other in others:
        lines.insert(random.randrange(len(lines) + 1), " ".join(other.split()) + "…")
    assert parse_log("\n".join(lines) + "\n") == expected


@QUICK
@given(st.text(max_size=400))
@example("count=" + "9" * 6000 + " curr=1\nInference timings in us: ")
@example("Inference timings in us: Init: 1e99, First inference: 0, Warmup (avg): 0, Inference (avg): 0\ncount=0\n")
@example(
    "count=1 curr=1e99\nInference timings in us: Init: 1, First inference: 0, Warmup (avg): 0, Inference (avg): 1e99\n"
)
def test_any_text(text):
    log = read(parse_log, text)
    assert log is None or min(numbers(log).values(), default=0) >= 0
    for profile in (text, profiles.TITLE.format("Run Order") + "\n" + text):
        operators = read(parse_profile, profile)
        assert operators is None or all(operator.mean_ms >= 0 for operator in operators)


@QUICK
@given(st.sampled_from(PROFILES), st.data())
def test_profiles_cut_off_and_with_pieces_missing(text, data):
    whole = parse_profile(text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.one_of(st.integers(start, len(text)), st.just(len(text))))
    within = text[start:end]
    got = read(parse_profile, text[:start] + text[end:]) if "\n" in within else None
    assert got is None or got == whole


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(content):
    got = read(parse_result, content)
    assert got is None or isinstance(got, ResultFile)


@QUICK
@given(st.data())
def test_result_files_cut_off(data):
    content = bytes.fromhex("12190db5a5ae3d1577be9f3d1de5d0e23e25bc74133c45cdcc4c4022070d76a8a63c1032")
    whole = parse_result(content)
    end = data.draw(st.integers(0, len(content)))
    got = read(parse_result, content[:end])
    assert got is None or got == whole
