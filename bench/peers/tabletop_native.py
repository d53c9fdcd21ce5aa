"""Builds tabletop_native.c against the libmujoco of this Python's `mujoco` package and runs it.

Usage: python tabletop_native.py MODEL.xml EPISODE.bin SECONDS   (prints the program's JSON with MuJoCo's version)
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import mujoco

package = pathlib.Path(mujoco.__file__).parent
library = next(package.glob("libmujoco.so.*"))
source = pathlib.Path(__file__).with_suffix(".c")
with tempfile.TemporaryDirectory() as folder:
    program = f"{folder}/tabletop_native"
    subprocess.run(
        ["gcc", "-O3", f"-I{package}/include", source, library, "-lm", f"-Wl,-rpath,{package}", "-o", program],
        check=True,
    )
    result = json.loads(subprocess.run([program, *sys.argv[1:]], check=True, capture_output=True).stdout)
print(json.dumps({**result, "mujoco": mujoco.__version__}))
