"""Seeds of random streams."""


def mixed(seed: int, *numbers: int) -> int:
    """One seed out of several numbers (SplitMix64's finaliser), so that streams of neighbouring steps do not meet."""
    state = seed & (2**64 - 1)
    for number in numbers:
        state = (state + (number + 1) * 0x9E3779B97F4A7C15) & (2**64 - 1)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = ((state ^ (state >> shift)) * factor) & (2**64 - 1)
        state ^= state >> 31
    return state & (2**63 - 1)
