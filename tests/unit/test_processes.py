"""Whether a process is still the one that it was."""

import os
import subprocess
import sys

from lattice_ml.ground.processes import birth, machine


def test_a_process_has_one_birth():
    assert birth(os.getpid()) == birth(os.getpid())
    assert birth(os.getpid()) != birth(1)


def test_what_has_ended_has_none_even_before_anybody_waited_for_it():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.read()  # until it ends
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert birth(process.pid) is None  # a zombie
    process.wait()
    assert birth(process.pid) is None


def test_the_machine_is_the_same_for_all_its_processes():
    code = "from lattice_ml.ground.processes import machine; print(machine())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == machine()
