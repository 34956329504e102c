"""One bad thing among many keeps none of the others, and a service that is away is not asked for long."""

import random

import pytest

from ifms.errors import PlatformError, PlatformRefusedError, PlatformReplyError, PlatformUnavailableError
from ifms.platform.portions import AWAY_AFTER, Portions

CITY = "od.samplea"
MANY = 64


class _Once:
    """A platform; `tries` are what each look-up of it costs when nothing is answered."""

    def __init__(self, tries: int = 3) -> None:
        self.tries = tries

    def tried_once(self) -> "_Once":
        return _Once(1)


class _Service:
    """A look-up that fails when something bad is asked about, and the sizes and tries of what it was asked."""

    def __init__(self, *bad, error=PlatformUnavailableError, away=False):
        self.bad, self.error, self.away = set(bad), error, away
        self.sizes: list[int] = []
        self.tries = 0

    def __call__(self, platform, some):
        self.sizes.append(len(some))
        failing = self.away or self.bad.intersection(some)
        self.tries += platform.tries if failing else 1
        if failing:
            raise self.error("sample: HTTP 500")
        return {each: f"answer {each}" for each in some}


def portions(seed=0):
    random.seed(seed)
    return Portions(_Once())


def told(answers):
    """What was answered, and what was not; each thing once."""
    asked = [each for some, _ in answers for each in some]
    assert len(asked) == len(set(asked))
    good = {
        key: value for _, answer in answers if not isinstance(answer, PlatformError) for key, value in answer.items()
    }
    bad = {each for some, answer in answers if isinstance(answer, PlatformError) for each in some}
    assert good == {each: f"answer {each}" for each in good}
    return set(good), bad


def test_what_is_answered_at_once_is_one_look_up():
    service = _Service()
    assert told(portions().ask(CITY, range(MANY), service)) == (set(range(MANY)), set())
    assert service.sizes == [MANY]


def test_nothing_is_asked_about_nothing():
    service = _Service()
    assert portions().ask(CITY, [], service) == []
    assert service.sizes == []


@pytest.mark.parametrize("error", [PlatformUnavailableError, PlatformRefusedError, PlatformReplyError])
@pytest.mark.parametrize("bad", [{0}, {31}, {63}, {0, 1}, {0, 63}, {5, 29, 60}, {10, 11, 12}])
@pytest.mark.parametrize("seed", range(5))
def test_bad_ones_wherever_they_are_keep_no_other(error, bad, seed):
    service = _Service(*bad, error=error)
    assert told(portions(seed).ask(CITY, range(MANY), service)) == (set(range(MANY)) - bad, bad)
    assert len(service.sizes) <= 1 + 8 + 8 * len(bad)


@pytest.mark.parametrize("many", [*range(1, 18), 200])
def test_a_few_or_many_are_each_asked_about(many):
    service = _Service(many // 2)
    assert told(portions().ask(CITY, range(many), service)) == (set(range(many)) - {many // 2}, {many // 2})


def test_when_all_are_refused_each_is_asked_about_once():
    service = _Service(*range(MANY), error=PlatformRefusedError)
    assert told(portions().ask(CITY, range(MANY), service)) == (set(), set(range(MANY)))
    assert service.sizes == [MANY, *[8, *[1] * 8] * 8]


def test_a_service_that_is_away_is_asked_a_few_times_and_then_once_per_batch_until_it_answers():
    away, service = portions(), _Service(away=True)
    assert told(away.ask(CITY, range(MANY), service)) == (set(), set(range(MANY)))
    assert service.sizes == [MANY, 8, 1, 1, 1, 1]
    assert service.tries == 3 + AWAY_AFTER - 1
    assert away.away(CITY)
    for _ in range(10):
        away.ask(CITY, range(MANY), service)
    assert service.sizes[6:] == [MANY] * 10
    assert service.tries == 3 + AWAY_AFTER - 1 + 10
    service.away = False
    assert told(away.ask(CITY, range(MANY), service)) == (set(range(MANY)), set())
    assert not away.away(CITY)


def test_another_city_is_asked_about_as_if_nothing_were_away():
    away, service = portions(), _Service(away=True)
    away.ask(CITY, range(MANY), service)
    service.away, service.bad = False, {7}
    assert told(away.ask("od.sampleb", range(MANY), service)) == (set(range(MANY)) - {7}, {7})


def test_many_bad_ones_keep_the_others_for_a_few_runs_at_most():
    """A quarter of all, beside one another: another order in each run finds a way around them."""
    bad, left, runs = set(range(16)), set(range(MANY)), 0
    while not left <= bad:
        answered, _ = told(portions(seed=runs).ask(CITY, sorted(left), _Service(*bad)))
        left -= answered
        runs += 1
    assert runs <= 3


def test_only_the_whole_is_tried_again_by_itself(platform, client):
    """By the platform's own client: three calls for the whole, one for each other look-up."""
    platform.answer("bill_search", {}, 503)
    [(_, error)] = Portions(client).ask(CITY, ["a"], lambda once, ids: once.bills(CITY, ids))
    assert isinstance(error, PlatformUnavailableError)
    assert len(platform.sent["bill_search"]) == 3
    Portions(client).ask(CITY, ["a", "b"], lambda once, ids: once.bills(CITY, ids))
    assert len(platform.sent["bill_search"]) == 3 + 3 + 2
    assert len(platform.sent["user_search"]) == 1
