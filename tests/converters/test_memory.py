"""Memory and disk while a large mixture of experts is converted: bounded, whatever the model's size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.convert_child import ROOT
from tests.support.counts import counted
from tests.support.hollow_checkpoint import fused_experts

pytestmark = pytest.mark.native
PEAK = """
import json, resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "converters", *sys.argv[1:]], stdout=subprocess.PIPE)
unit = 1 if sys.platform == "darwin" else 1024
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_CHILDREN,))
print(json.dumps({"peak_bytes": peak * unit, "result": json.loads(done.stdout)}))
sys.exit(done.returncode)
"""
LIMIT_BYTES = 1_500_000_000


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="getrusage")
def test_an_8_gb_mixture_with_tensors_of_1_gb_takes_little_memory_and_no_extra_disk(tmp_path: Path) -> None:
    """The largest of all processes, one of which lets the whole file answer, stays under the limit; what is on disk at
    the end is the output and nothing else."""
    n_layer, n_expert = (5, 128) if counted(10) == 10 else (2, 32)
    folder = fused_experts(tmp_path / "moe", n_layer, n_expert)
    out = tmp_path / "out"
    words = ["convert", str(folder), "--type", "Q8_0", "--output", str(out), "--json"]
    done = subprocess.run([sys.executable, "-c", PEAK, *words], cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    source_bytes = (folder / "model.safetensors").stat().st_size
    (file,) = report["result"]["files"]
    print(f"{source_bytes:,} bytes read, {file['size_bytes']:,} written, peak {report['peak_bytes']:,}")
    check = report["result"]["self_check"]
    assert (check["greedy_tokens"], check["n_layers"]) == (32, n_layer)
    assert report["peak_bytes"] <= LIMIT_BYTES
    assert [path.name for path in out.iterdir()] == [Path(file["path"]).name]
    dry = subprocess.run(
        [sys.executable, "-m", "converters", *words, "--dry-run"], cwd=ROOT, capture_output=True, text=True
    )
    planned = json.loads(dry.stdout)
    assert report["peak_bytes"] <= planned["peak_memory_bytes"] <= LIMIT_BYTES
    assert planned["output_bytes"] == planned["needed_disk_bytes"] == file["size_bytes"]
