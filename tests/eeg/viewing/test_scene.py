"""What the view shows, however the samples came, and what its keys change."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.eeg.batch import Batch, Mark
from kit.eeg.records import Interrupted, Item, Reordered, Restarted, Run, Times
from kit.eeg.scale import Scale
from kit.eeg.signals import Block, Gap, Signals
from kit.eeg.viewing.filtering import FilterWish
from kit.eeg.viewing.frame import Frame
from kit.eeg.viewing.keys import HELP, Action
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.settings import Settings
from tests.eeg.viewing.batches import batches, lost, ramp, run, simulated, split

PLAIN = Settings(filters=FilterWish(), units="adc", seconds=1)
SWEPT = Settings(filters=FilterWish(), units="adc", seconds=1, sweep=True)
COUNTS = Scale(1.0, 0)


def shown(items: Sequence[Item], settings: Settings = PLAIN, marks: Sequence[Mark] = ()) -> Scene:
    scene = Scene(scale=COUNTS, settings=settings, history_s=60)
    for batch in batches(items, marks):
        scene.take(batch)
    return scene


def samples(frame: Frame, channel: int = 1) -> dict[int, float]:
    """x and value of all that is drawn of a channel."""
    (trace,) = [trace for trace in frame.traces if trace.channel == channel]
    return {s.x + at: value for s in trace.segments for at, value in enumerate(s.values)}


def press(scene: Scene, keys: str) -> None:
    for key in keys.split():
        assert scene.press(key) is None


def test_a_scroll_has_the_newest_sample_at_its_right_edge() -> None:
    frame = shown([run(0, ramp(400))]).frame()
    assert samples(frame) == {x: 400 - 256 + x for x in range(256)}
    assert samples(frame, 2) == {x: 1000 - (400 - 256 + x) for x in range(256)}
    assert frame.cursor is None
    assert samples(shown([run(0, ramp(10))]).frame()) == {246 + at: at for at in range(10)}


def test_a_sweep_writes_over_what_it_wrote_before() -> None:
    frame = shown([run(0, ramp(300))], SWEPT).frame()
    fresh = {x: 256 + x for x in range(44)}
    assert samples(frame) == fresh | {x: x for x in range(44 + 5, 256)}
    assert frame.cursor == 44


def test_a_gap_is_never_drawn_over_and_as_wide_as_it_was_long() -> None:
    frame = shown([run(0, ramp(200)), lost(200, 30), run(230, ramp(50, 230))]).frame()
    (trace, _) = frame.traces
    assert [(segment.x, len(segment.values)) for segment in trace.segments] == [(0, 176), (206, 50)]
    (hole,) = frame.holes
    assert (hole.x, hole.end, hole.text) == (176, 206, "30 lost")


def test_a_restart_is_seen_though_nobody_knows_how_long_it_took() -> None:
    frame = shown([run(0, ramp(200)), Restarted(200, 0, 0), run(200, ramp(9))]).frame()
    (hole,) = frame.holes
    assert (hole.end - hole.x, hole.why) == (1, "restarted")
    assert len(frame.traces[0].segments) == 2


def test_a_device_that_was_away_leaves_a_gap_of_that_time() -> None:
    def timed(sequence: int, count: int, begin_us: int) -> Run:
        times_us = [begin_us + at * 1_000_000 // 256 for at in range(count)]
        return Run(sequence, run(sequence, ramp(count)).stretch, Times(times_us, times_us))

    frame = shown(
        [timed(0, 256, 1_000_000), Interrupted(0, 2_000_000, "unplugged"), timed(256, 64, 2_500_000)]
    ).frame()
    (hole,) = frame.holes
    assert (hole.end - hole.x, hole.text) == (128, "away")


def test_a_packet_that_came_late_fills_its_gap() -> None:
    before = shown([run(0, ramp(200)), lost(200, 3), run(203, ramp(10, 203))])
    after = shown(
        [run(0, ramp(200)), lost(200, 3), run(203, ramp(10, 203)), Reordered(201, 0), run(201, ramp(1, 201))]
    )
    assert after.frame().key != before.frame().key
    holes = after.frame().holes
    assert [(hole.end - hole.x, hole.text) for hole in holes] == [(1, "1 lost"), (1, "1 lost")]
    assert samples(after.frame())[255 - 11] == 201


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 700),
    st.lists(st.integers(1, 90), max_size=4),
    st.sampled_from([PLAIN, SWEPT, Settings(seconds=1)]),
)
def test_every_chunking_gives_the_same_picture(
    sizes: list[int], count: int, gaps: list[int], chosen: Settings
) -> None:
    items: list[Item] = [run(0, ramp(count))]
    at = count
    for gap in gaps:
        items += [lost(at, gap), run(at + gap, ramp(60, at + gap))]
        at += gap + 60
    whole, cut = shown(items, chosen).frame(), shown(list(split(items, sizes)), chosen).frame()
    for one, other in zip(whole.traces, cut.traces, strict=True):
        assert samples(whole, one.channel) == pytest.approx(samples(cut, other.channel), abs=0.01)
    assert (whole.holes, whole.ticks, whole.lines) == (cut.holes, cut.ticks, cut.lines)


def test_the_history_is_bounded_and_forgets_the_oldest() -> None:
    scene = Scene(scale=COUNTS, settings=PLAIN, history_s=4)
    items: list[Item] = []
    for second in range(100):
        items += [run(second * 256, ramp(250, second * 256)), lost(second * 256 + 250, 6)]
    for batch in batches(items):
        scene.take(batch)
    history = scene._history
    assert history.end - history.start == 1024
    assert len(history._gaps) <= 6
    press(scene, "home")
    frame = scene.frame()
    assert frame.parts[0].first == history.start
    assert frame.paused


def test_eight_hours_take_no_more_memory_than_one() -> None:
    hz, count = 8, 1024  # a slow device, so that this is quick
    wave = array("h", [100 + at % 64 for at in range(count)])
    scene, sizes = Scene(rate_hz=hz), {}
    tracemalloc.start()
    for number in range(8 * 3600 * hz // count):
        first, begin_us = number * count, number * count * 1_000_000 // hz
        times_us = range(begin_us, begin_us + count * 125_000, 125_000)
        gap = Gap(first, 6, "lost", begin_us)
        block = Block(first + 6, times_us[6:], (wave[6:],) * 6, [number % 16] * (count - 6))
        scene.take(Batch([lost(first, 6)], [gap, block], [Mark(begin_us, "mark")], 0))
        scene.frame()
        sizes[begin_us // 3_600_000_000] = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert list(sizes) == list(range(8))
    # The last thousand marks and changes of buttons are kept, however old; and Python keeps freed tuples and
    # lists for later. All the samples would be two megabytes.
    assert sizes[7] - sizes[1] < 400_000


def test_pause_holds_the_picture_and_looks_back() -> None:
    scene = shown([run(0, ramp(600))], SWEPT)
    scene.press(" ")
    held = scene.frame()
    scene.take(next(batches([run(600, ramp(100, 600))])))
    assert samples(scene.frame()) == samples(held)
    press(scene, "left")
    frame = scene.frame()
    assert not frame.sweep
    assert samples(frame) == {x: 600 - 64 - 256 + x for x in range(256)}
    press(scene, "home")
    assert scene.frame().parts[0].first == 0
    press(scene, "end")
    assert scene.frame().parts[0].end == 700
    scene.press(" ")
    assert scene.frame().sweep
    assert not scene.frame().paused


def test_keys_change_what_is_shown() -> None:
    scene = shown([run(0, ramp(600))])
    assert [trace.channel for trace in scene.frame().traces] == [1, 2]
    press(scene, "3 1")
    assert [trace.channel for trace in scene.frame().traces] == [2, 3]
    press(scene, "2 3")
    assert [trace.channel for trace in scene.frame().traces] == [3]
    press(scene, "left")
    assert scene.frame().window == 128
    press(scene, "right right w")
    assert scene.frame().window == 512
    assert scene.frame().sweep


def test_gain_is_for_all_or_for_the_channel_that_is_selected() -> None:
    scene = shown([run(0, ramp(600))])
    press(scene, "+")
    assert [trace.scale for trace in scene.frame().traces] == ["±50 counts", "±50 counts"]
    press(scene, "down down -")
    first, second = scene.frame().traces
    assert (first.scale, second.scale) == ("±50 counts", "±100 counts")
    assert second.selected


def test_a_scale_that_fits_shows_all_there_is() -> None:
    scene = shown([run(0, [(140, 30)] * 300)])
    press(scene, "a")
    assert [trace.reach for trace in scene.frame().traces] == [200, 50]


def test_units_change_and_the_picture_stays_as_large() -> None:
    scene = Scene(settings=Settings(filters=FilterWish(), seconds=1))
    for batch in batches([run(0, [(612, 512)] * 300)]):
        scene.take(batch)
    assert set(samples(scene.frame()).values()) == {50.0}
    press(scene, "u")
    assert set(samples(scene.frame()).values()) == {100.0}
    assert scene.frame().traces[0].scale == "±200 counts"


def test_the_scale_that_a_recording_tells_holds_if_no_other_one_was_asked_for() -> None:
    told, given = Scale(0.25, 512, "calibrated"), Scale(1.0, 512, "given")
    for asked, expected in ((Scale(), 25.0), (given, 100.0)):
        scene = Scene(scale=asked, settings=Settings(filters=FilterWish(), seconds=1))
        for batch in batches([run(0, [(612, 512)] * 300)]):
            scene.take(batch)
        before = scene.frame().key
        scene.rescale(told)
        assert set(samples(scene.frame()).values()) == {expected}
        assert (scene.frame().key == before) == (asked == given)


def test_filters_are_chosen_one_by_one_and_switched_together() -> None:
    scene = shown([run(0, ramp(600))], Settings(seconds=1))
    words = [word.text for word in scene.frame().status]
    assert "above 0.5 Hz" in words
    press(scene, "f h n l")
    assert "1-20 Hz, without 50 Hz" in scene.frame().prompt
    press(scene, "f")
    assert "unfiltered" in scene.frame().prompt
    press(scene, "escape")
    assert scene.frame().prompt == ""
    press(scene, "f l")
    assert [word.text for word in scene.frame().status if "Hz" in word.text] == ["1-30 Hz, without 50 Hz"]
    assert scene.press("q") == Action("quit")


def test_a_high_pass_takes_the_offset_away_at_once() -> None:
    scene = shown([run(0, [(900, 100)] * 300)], Settings(seconds=1))
    assert max(map(abs, samples(scene.frame()).values())) < 1e-6


def test_a_filter_that_is_switched_on_late_shows_the_past_as_if_it_had_been_on() -> None:
    wave = [(int(512 + 100 * (at // 16 % 2)),) for at in range(4000)]
    early, late = shown([], Settings(seconds=1)), shown([], PLAIN)
    for batch in batches(list(split([run(0, wave)], [50]))):
        early.take(batch)
        early.frame()
        late.take(batch)
    late.settings = Settings(seconds=1)
    assert samples(late.frame()) == pytest.approx(samples(early.frame()), abs=0.5)
    for scene in (early, late):
        press(scene, "home")
    assert samples(late.frame()) == pytest.approx(samples(early.frame()), abs=0.5)


def test_marks_stand_where_they_were_set() -> None:
    frame = shown([run(0, ramp(300))], marks=[Mark(250 * 1_000_000 // 256, "blink")]).frame()
    assert [(line.x, line.text, line.kind) for line in frame.lines] == [(250 - 44, "blink", "mark")]


def test_a_mark_from_before_all_that_is_kept_is_not_shown() -> None:
    long_ago, kept = Mark(250 * 1_000_000 // 256, "long ago"), Mark(3 * 1_000_000, "kept")
    scene = Scene(scale=COUNTS, settings=Settings(filters=FilterWish(), seconds=2), history_s=2)
    for batch in batches([run(0, ramp(1024))], [long_ago, kept]):
        scene.take(batch)
    assert [line.text for line in scene.frame().lines] == ["kept"]


def test_a_mark_of_a_file_can_say_nothing_to_the_terminal() -> None:
    frame = shown([run(0, ramp(300))], marks=[Mark(1_000_000, "\x1b[2J" + "x" * 1000)]).frame()
    assert [line.text for line in frame.lines] == ["\\x1b[2J" + "x" * 55 + "…"]


def test_a_button_that_is_pressed_is_seen_and_marked() -> None:
    frame = shown([run(0, ramp(50)), run(50, ramp(50), 0b1101)]).frame()
    assert frame.buttons == (False, True, False, False)
    assert [(line.x, line.text) for line in frame.lines] == [(256 - 50, "button 2")]


def test_keys_that_ask_for_something_outside() -> None:
    scene = shown([run(0, ramp(257))])
    assert scene.press("q") == Action("quit")
    assert scene.press("r") == Action("record")
    assert scene.press("A") == Action("mark", "A", 1_000_000)
    press(scene, "m e y e s backspace q")
    assert "eyeq" in scene.frame().prompt
    scene.take(next(batches([run(257, ramp(100))])))
    assert scene.press("enter") == Action("mark", "eyeq", 1_000_000)
    press(scene, "m x escape")
    assert scene.frame().prompt == ""


def test_every_key_of_the_help_does_something() -> None:
    named = {"space": [" "], "← →": ["left", "right"], "↑ ↓": ["up", "down"], "1 … 6": list("123456")}
    for text, _ in HELP:
        for key in named.get(text, text.split()):
            scene = shown([run(0, ramp(600))])
            before = (scene.settings, scene.looking.paused_at, scene.frame().prompt)
            action = scene.press(key)
            assert action or before != (scene.settings, scene.looking.paused_at, scene.frame().prompt), key


def test_the_status_tells_of_losses_and_of_the_end() -> None:
    scene = shown([run(0, ramp(99)), lost(99, 1), run(100, ramp(100))])
    assert "1 lost (0.50 %)" in [word.text for word in scene.frame().status]
    scene.close("end")
    assert "the input ended: q quits" in [word.text for word in scene.frame().status]
    assert samples(scene.frame())


def test_the_delay_is_from_the_byte_to_the_picture() -> None:
    times = Times([0] * 10, [5_000_000] * 10)
    scene = shown([Run(0, run(0, ramp(10)).stretch, times)])
    scene.frame()
    scene.shown(5_012_000_000)
    assert "12 ms" in [word.text for word in scene.frame().status]


def test_the_bands_of_an_alpha_wave_are_alpha() -> None:
    scene = Scene(settings=Settings(bars=True, spectrum="spectrum"))
    for batch in simulated("sim:seed=3,speed=max,count=2000"):
        scene.take(batch)
    frame = scene.frame()
    assert [bar.band for bar in frame.bars[0].bars] == ["delta", "theta", "alpha", "smr", "beta", "gamma"]
    assert frame.spectrum
    assert len(frame.spectrum.columns) == 1
    assert frame.spectrum.frequencies_hz[1] == 0.5
    press(scene, "s")
    frame = scene.frame()
    assert frame.spectrum
    assert len(frame.spectrum.columns) == 16


def test_there_is_no_power_where_much_was_lost() -> None:
    scene = shown([run(0, ramp(600)), lost(600, 20), run(620, ramp(100, 620))], Settings(bars=True))
    assert {bar.uv for bar in scene.frame().bars[0].bars} == {None}


def test_a_clipped_channel_says_so() -> None:
    scene = shown([run(0, [(1023, 500)] * 10)])
    assert [trace.clipped for trace in scene.frame().traces] == [True, False]
    scene.take(next(batches([run(10, [(500, 500)] * 300)])))
    assert [trace.clipped for trace in scene.frame().traces] == [False, False]


def test_a_scene_without_samples_has_a_frame() -> None:
    for chosen in (PLAIN, SWEPT, Settings(bars=True, spectrum="spectrogram")):
        scene = Scene(settings=chosen)
        scene.take(Batch([], Signals().take([]), [], 0))
        frame = scene.frame()
        assert [trace.segments for trace in frame.traces] == [(), ()]
        press(scene, "a left home end pageup")
        assert scene.frame()
