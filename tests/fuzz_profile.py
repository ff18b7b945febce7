"""`make fuzz`: a pytest plugin with a hypothesis profile that looks much longer than a test may."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
