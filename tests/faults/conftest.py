"""What the tests of faults share: how long the model is walked when somebody wants more than CI's share."""

from hypothesis import settings

settings.register_profile("long", max_examples=500, stateful_step_count=60)  # pytest --hypothesis-profile=long
