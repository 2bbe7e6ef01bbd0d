"""Where a number comes from."""

import pytest

from benchmarks.store.provenance import collect, cpu_name

X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n"


@pytest.mark.parametrize(
    ("information", "name"),
    [
        (X86, "AMD EPYC (family 25, model 17)"),
        (X86 + "\n" + X86.replace("17", "1"), "AMD EPYC (family 25, model 17)"),  # the first core's
        ("model name\t: POWER9: altivec\n", "POWER9: altivec"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\nCPU part\t: 0xd0c\n", ""),  # ARM names none
        ("", ""),
    ],
)
def test_a_processor_is_named_with_its_generation(information, name):
    assert cpu_name(information) == name


def test_what_is_collected_names_some_processor():
    assert collect()["processor"] and collect()["packages"]["torch"]
