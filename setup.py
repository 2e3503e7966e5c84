"""Which folders make the package; everything else of it is in pyproject.toml.

The checkout has artifacts/ and assets/ at its top, where people look for them; installed, they lie within
`fashion_forward`, since a package must not put folders of such names beside everybody else's.
"""

from setuptools import find_packages, setup

CODE = find_packages(include=["fashion_forward", "ml", "ml.*", "dashboard", "dashboard.*"])
DATA = {"fashion_forward.artifacts": "artifacts", "fashion_forward.assets": "assets"}

setup(
    packages=[*CODE, *DATA],
    package_dir=DATA,
    package_data={**{name: ["*"] for name in CODE}, **{name: ["**/*"] for name in DATA}},
    include_package_data=False,
)
