"""A small libnvidia-ml.so.1 of our own: two cards, or a driver that crashes, hangs or answers with errors."""

import shutil
import subprocess
from pathlib import Path

import pytest

LIBRARY = "libnvidia-ml.so.1"
DRIVER = "550.54.14"
GIB = 2**30

# FAKE_NVML: ok, old (without the second versions), wddm, abort, hang, mismatch, half (card 1 fails), unloaded,
# garbage (card 1 has a name that is no text), blocks (hangs while it is being loaded). Structs and numbers: nvml.h.
SOURCE = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long u64;
typedef struct { u64 total, free, used; } memory_v1;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_info;
typedef struct { unsigned pid; u64 used; unsigned gpu_instance, compute_instance; } process;
enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, NOT_LOADED = 9, LOST = 15, MISMATCH = 18 };
static const u64 GIB = 1ull << 30, MIB = 1ull << 20;
static char handles[2];

static int is(const char *mode) {
    const char *chosen = getenv("FAKE_NVML");
    return chosen && !strcmp(chosen, mode);
}
static int index_of(void *handle) { return (char *)handle - handles; }

__attribute__((constructor)) static void load(void) { if (is("blocks")) pause(); }

int nvmlInitWithFlags(unsigned flags) {
    if (is("abort")) abort();
    if (is("hang")) pause();
    if (is("mismatch")) return MISMATCH;
    return is("unloaded") ? NOT_LOADED : OK;
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == MISMATCH ? "Driver/library version mismatch" : "GPU is lost"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "550.54.14", size); return OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = handles + index;
    return is("half") && index == 1 ? LOST : OK;
}
int nvmlDeviceGetName(void *handle, char *name, unsigned size) {
    if (is("garbage") && index_of(handle)) { strncpy(name, "\xff\xfe", size); return OK; }
    strncpy(name, index_of(handle) ? "NVIDIA GeForce GTX 1060 6GB" : "NVIDIA GeForce RTX 3060", size);
    return OK;
}
int nvmlDeviceGetPciInfo_v3(void *handle, pci_info *info) {
    memset(info, 0, sizeof *info);
    strcpy(info->bus_id, index_of(handle) ? "00000000:0A:00.0" : "00000000:01:00.0");
    return OK;
}
int nvmlDeviceGetMemoryInfo(void *handle, memory_v1 *memory) {
    memory->total = (index_of(handle) ? 6 : 12) * GIB;
    memory->used = index_of(handle) ? 2 * GIB : 1 * GIB + 300 * MIB;
    memory->free = memory->total - memory->used;
    return OK;
}
int nvmlDeviceGetMemoryInfo_v2(void *handle, memory_v2 *memory) {
    memory_v1 plain;
    if (is("old")) return NOT_SUPPORTED;
    nvmlDeviceGetMemoryInfo(handle, &plain);
    memory->reserved = 300 * MIB;
    memory->total = plain.total;
    memory->free = plain.free + 100 * MIB; /* a sample taken earlier, when more was free */
    memory->used = plain.used - memory->reserved;
    return OK;
}
static int list(void *handle, unsigned *count, process *processes, u64 used) {
    if (index_of(handle)) { *count = 0; return OK; }
    if (!processes || *count < 2) { *count = 2; return TOO_SMALL; }
    *count = 2;
    processes[0] = (process){ (unsigned)getpid(), used, ~0u, ~0u };
    processes[1] = (process){ 1, is("wddm") ? ~0ull : used, ~0u, ~0u };
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, process *processes) {
    return list(handle, count, processes, 200 * MIB);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, process *processes) {
    return list(handle, count, processes, 200 * MIB);
}
int nvmlDeviceGetDisplayActive(void *handle, int *active) { *active = 0; return OK; }
int nvmlDeviceGetDisplayMode(void *handle, int *mode) { *mode = index_of(handle) == 0; return OK; }
int nvmlDeviceGetDriverModel_v2(void *handle, int *current, int *pending) {
    *current = *pending = index_of(handle) ? 1 : 0;
    return is("wddm") ? OK : NOT_SUPPORTED;
}
"""


def build_fake_nvml(folder: Path) -> Path:
    """Compile the library and return its folder, for LD_LIBRARY_PATH; skips the test where no compiler is."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build a libnvidia-ml.so with")
    source = folder / "nvml.c"
    source.write_text(SOURCE)
    command = [compiler, "-shared", "-fPIC", "-O0", "-w", "-o", str(folder / LIBRARY), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return folder
