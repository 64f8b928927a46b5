"""Samples what a command and all that it has started take, from outside."""

import contextlib
import threading
import time

import psutil

EVERY_S = 1.0  # a sample of all processes takes some 50 ms of a core


class Watch:
    """Samples memory and CPU time of all processes that bear a marker, on a thread."""

    def __init__(self, marker: str) -> None:
        """Begin."""
        self.peak_bytes, self._cpu = 0, dict[int, float]()
        self._marker, self._known = marker, dict[psutil.Process, bool]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes that were seen."""
        return sum(self._cpu.values())

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            total = 0
            for process in self._processes():
                try:
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak_bytes = max(self.peak_bytes, total)

    def _processes(self) -> list[psutil.Process]:
        # Ray's daemons leave the tree, but keep the environment
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # one that has just been forked may yet get its own environment
                if process not in self._known and time.time() - process.create_time() > EVERY_S:
                    marker = process.environ().get("RESHELVE_BENCH")
                    self._known[process] = marker == self._marker
        return [process for process, ours in self._known.items() if ours and process.is_running()]
