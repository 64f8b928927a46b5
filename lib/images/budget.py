"""How many pixels the threads of a process may have under way at once."""

import threading


class PixelBudget:
    """Threads wait here until their picture fits beside those that others are decoding.

    First come, first served, so that a large one gets its turn among many small ones. One that is
    larger than the whole budget goes alone.
    """

    def __init__(self, pixels: int) -> None:
        """Give out so many at once."""
        self._size = self._free = pixels
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    def take(self, pixels: int) -> int:
        """Wait for pixels; return how many are to be given back."""
        share = min(pixels, self._size)
        with self._turn, self._changed:  # who comes later waits for the turn
            self._changed.wait_for(lambda: self._free >= share)
            self._free -= share
        return share

    def give_back(self, share: int) -> None:
        """Let others have what was taken."""
        with self._changed:
            self._free += share
            self._changed.notify()
