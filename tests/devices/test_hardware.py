"""Graphics cards are read from the system's own tables, on trees made for the test."""

from pathlib import Path

import pytest

from app.devices import hardware
from app.devices.hardware import InstalledGpu, installed_gpus, linux_distribution, remedy

RTX = InstalledGpu("nvidia", "10de:2684", "NVIDIA GeForce RTX 4090", has_driver=True)
RADEON = InstalledGpu("amd", "1002:744c", None, has_driver=True)


def add_card(root: Path, address: str, vendor: str, device: str, driver: str = "", pci_class: str = "0x030000") -> None:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    for name, text in {"class": pci_class, "vendor": f"0x{vendor}", "device": f"0x{device}"}.items():
        (folder / name).write_text(text + "\n")
    if driver:
        target = root / "sys/bus/pci/drivers" / driver
        target.mkdir(parents=True, exist_ok=True)
        (folder / "driver").symlink_to(target)


def add_file(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_nvidia_card_with_its_driver_has_the_driver_s_name(tmp_path: Path) -> None:
    add_card(tmp_path, "0000:01:00.0", "10de", "2684", driver="nvidia")
    add_file(tmp_path, "usr/lib/x86_64-linux-gnu/libcuda.so.1")
    add_file(
        tmp_path,
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 150\n",
    )
    assert installed_gpus(tmp_path, "Linux") == (RTX,)


@pytest.mark.parametrize(
    ("driver", "with_cuda"), [("", True), ("nouveau", True), ("vfio-pci", True), ("nvidia", False)]
)
def test_nvidia_card_without_kernel_module_or_libcuda_has_no_driver(
    tmp_path: Path, driver: str, with_cuda: bool
) -> None:
    add_card(tmp_path, "0000:01:00.0", "10de", "2684", driver=driver)
    if with_cuda:
        add_file(tmp_path, "usr/lib64/libcuda.so.1")
    (gpu,) = installed_gpus(tmp_path, "Linux")
    assert not gpu.has_driver


def test_libcuda_may_be_known_to_the_loader_only(tmp_path: Path) -> None:
    add_card(tmp_path, "0000:01:00.0", "10de", "2684", driver="nvidia")
    add_file(tmp_path, "etc/ld.so.cache", "\0libcuda.so.1\0/opt/driver/libcuda.so.1\0")
    assert installed_gpus(tmp_path, "Linux")[0].has_driver


def test_names_come_from_the_pci_list_and_other_devices_are_left_out(tmp_path: Path) -> None:
    add_card(tmp_path, "0000:00:02.0", "8086", "a780", driver="i915")
    add_card(tmp_path, "0000:03:00.0", "1002", "744c", driver="amdgpu", pci_class="0x038000")
    add_card(tmp_path, "0000:04:00.0", "1a03", "2000", driver="ast")
    add_card(tmp_path, "0000:05:00.0", "10de", "22ba", pci_class="0x040300")  # the sound half of a card
    add_file(
        tmp_path,
        "usr/share/misc/pci.ids",
        "# list\n1002  AMD\n\t7300  Fiji\n\t744c  Navi 31\n\t\t1002 0e3b  Reference\n"
        "8086  Intel Corporation\n\ta780  UHD 770\n",
    )
    assert installed_gpus(tmp_path, "Linux") == (
        InstalledGpu("intel", "8086:a780", "Intel Corporation UHD 770", has_driver=True),
        InstalledGpu("amd", "1002:744c", "AMD Navi 31", has_driver=True),
        InstalledGpu("other", "1a03:2000", None, has_driver=True),
    )


def test_windows_host_s_card_is_seen_inside_wsl(tmp_path: Path) -> None:
    add_file(tmp_path, "usr/lib/wsl/lib/libcuda.so.1")
    assert [(gpu.vendor, gpu.has_driver) for gpu in installed_gpus(tmp_path, "Linux")] == [("nvidia", True)]


def test_system_without_tables_has_no_cards(tmp_path: Path) -> None:
    assert installed_gpus(tmp_path, "Linux") == ()
    assert installed_gpus(tmp_path, "Plan9") == ()
    assert isinstance(installed_gpus(), tuple)


@pytest.mark.parametrize(
    ("gpu", "backends", "distribution", "command"),
    [
        (RTX, {"cpu", "rpc"}, "debian", "sudo apt-get install nvidia-cuda-toolkit && make run"),
        (RTX, {"cpu"}, "", "nvcc"),
        (InstalledGpu("nvidia", "10de:1", None, has_driver=False), {"cuda"}, "debian", "install nvidia-driver"),
        (InstalledGpu("nvidia", "10de:1", None, has_driver=False), {"cuda"}, "ubuntu", "ubuntu-drivers install"),
        (InstalledGpu("nvidia", "10de:1", None, has_driver=False), {"cuda"}, "", "nvidia.com/drivers"),
        (RADEON, {"cpu", "cuda"}, "debian", "PRONK_BACKEND=vulkan make run"),
        (InstalledGpu("amd", "1002:744c", None, has_driver=False), {"vulkan"}, "", "modprobe amdgpu"),
        (InstalledGpu("apple", "", "Apple M3", has_driver=True), {"cpu"}, "", "PRONK_BACKEND=metal make run"),
    ],
)
def test_card_that_the_build_cannot_use_is_named_with_a_command(
    gpu: InstalledGpu, backends: set[str], distribution: str, command: str
) -> None:
    sentence = remedy(gpu, backends, distribution)
    assert sentence is not None
    assert sentence.startswith(gpu.label)
    assert command in sentence
    assert "\n" not in sentence


def test_usable_and_hopeless_cards_need_no_remedy() -> None:
    assert remedy(RTX, {"cuda"}) is None
    assert remedy(RTX, {"vulkan"}) is None
    assert remedy(RADEON, {"vulkan"}) is None
    assert remedy(InstalledGpu("other", "1a03:2000", "ASPEED", has_driver=True), {"cpu"}) is None


def test_label_falls_back_to_the_pci_id() -> None:
    assert RADEON.label == "AMD graphics card [1002:744c]"


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ('PRETTY_NAME="Debian"\nID=debian\n', "debian"),
        ('ID="linuxmint"\nID_LIKE="ubuntu debian"\n', "ubuntu"),
        ('ID="rhel"\nID_LIKE="fedora"\n', "fedora"),
        ("ID=void\n", ""),
    ],
)
def test_distribution_family(tmp_path: Path, text: str, family: str) -> None:
    add_file(tmp_path, "etc/os-release", text)
    assert linux_distribution(tmp_path) == family


def test_windows_answer_is_read() -> None:
    card = {"Name": "AMD Radeon", "PNPDeviceID": "PCI\\VEN_1002&DEV_744C&SUBSYS", "ConfigManagerErrorCode": 0}
    assert hardware._windows_gpu(card) == InstalledGpu("amd", "1002:744c", "AMD Radeon", has_driver=True)
