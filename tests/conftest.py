"""How much Hypothesis tries: `HYPOTHESIS_PROFILE=thorough make test` for a long search."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: on two busy cores a slow example says something about the neighbours, not about the code.
settings.register_profile("local", deadline=None)
# In CI the same examples every time, so that a red run is about the change; no database to keep between runs.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile(
    "thorough", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "local"))
