"""The arithmetic of the speed tool's table."""

import pytest

from helpdesk.bench import report
from helpdesk.bench.measuring import BARE, QUEUE, Sample


def sample(*milliseconds: float, elapsed: float) -> Sample:
    return Sample(seconds=[value / 1000 for value in milliseconds], elapsed=elapsed, queries=8, bytes=1200)


@pytest.fixture
def found() -> list[report.Figure]:
    return report.figures(
        {
            (BARE, 1000): sample(*[2] * 100, elapsed=1),
            (BARE, 5000): sample(*[2] * 200, elapsed=1),
            (QUEUE, 1000): sample(*[10] * 19, 20, elapsed=2),
            (QUEUE, 5000): sample(*[12] * 19, 30, elapsed=2),
        }
    )


def test_a_percentile_is_a_measured_value():
    assert report.percentile([5.0, 1.0, 3.0], 0.95) == 5.0
    assert report.percentile([float(n) for n in range(100)], 0.95) == 95.0


def test_medians_and_rates(found):
    queue = found[-1]
    assert (queue.median, queue.p95, queue.rate) == (pytest.approx(12), pytest.approx(30), pytest.approx(10))


def test_the_largest_is_held_against_the_smallest_and_the_bare_view(found):
    growth, share, memory = report.targets(found, {1000: 80, 5000: 151})
    assert (growth.figure, growth.is_reached) == ("1.50", False)
    assert (share.figure, share.is_reached) == ("0.050", False)
    assert (memory.figure, memory.is_reached) == ("151 MB", False)


def test_what_is_reached_is_said(found):
    found = report.figures({(BARE, 1000): sample(1, elapsed=1), (QUEUE, 1000): sample(1, elapsed=10)})
    share, memory = report.targets(found, {1000: 80})
    assert (share.figure, share.is_reached) == ("0.100", True)
    assert memory.is_reached


def test_each_line_stands_in_the_table(found):
    text = report.markdown(found, report.targets(found, {1000: 80}), ["a machine"])
    assert "| queue page | 5,000 | 12.0 | 30.0 | 1.50 | 10 | 0.050 | 8 | 1,200 |" in text
    assert "| queue page ÷ bare view, requests a second, at 5,000 tickets | ≥ 0.06 | 0.050 | not reached |" in text


def test_a_run_replaces_the_last_one_and_nothing_else(tmp_path):
    document = tmp_path / "performance.md"
    document.write_text(f"By hand.\n\n{report.MARK}\nThe run before.\n")
    report.write(document, "This run.\n", report.MARK)
    assert document.read_text() == f"By hand.\n\n{report.MARK}\nThis run.\n"
    document.write_text("Nothing but words.\n")
    with pytest.raises(ValueError, match="has no line"):
        report.write(document, "This run.\n", report.MARK)
