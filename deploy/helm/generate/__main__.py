"""`python -m deploy.helm.generate [--check]`: write the files, or only name those that are stale and exit with 1."""

import sys
from pathlib import Path

import yaml

from deploy.helm.generate import dashboards, readme, schema, slices
from deploy.helm.generate.settings import secrets_of
from deploy.helm.generate.values import Value, merged, parse

CHARTS = Path(__file__).parents[1]


def outputs() -> dict[Path, str]:
    """Path → content of every generated file."""
    services = slices.services()
    common = parse(CHARTS / "common/values.yaml")["exports"]
    shared, service = common["shared"], common["service"]
    files = dashboards.files() | {
        CHARTS / "trial/nats.conf": slices.nats_configuration(services),
        CHARTS / "common/README.md": readme.document(_chart("common"), merged(shared, service), {}),
    }
    for name in services:
        files |= _documented(name, merged(shared, service), ("common",), has_secret=True)
        files[CHARTS / name / "routes.yaml"] = slices.routes(name)
    files |= _documented("trial", shared, ("common",))
    return files | _documented("highsea", shared, ("common", "trial", *services))


def _documented(
    name: str, inherited: Value, subcharts: tuple[str, ...], *, has_secret: bool = False
) -> dict[Path, str]:
    own = parse(CHARTS / name / "values.yaml")
    every = merged(inherited, own)
    secrets = secrets_of(name, every["needs"].default) if has_secret else {}
    return {
        CHARTS / name / "values.schema.json": schema.document(every, name, subcharts),
        CHARTS / name / "README.md": readme.document(_chart(name), own, secrets),
    }


def _chart(name: str) -> dict[str, str]:
    return dict(yaml.safe_load((CHARTS / name / "Chart.yaml").read_text(encoding="utf-8")))


def main() -> int:
    """Returns the exit status."""
    stale = {
        path: text for path, text in outputs().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    if "--check" in sys.argv:
        print(*(f"stale: {path.relative_to(CHARTS.parents[1])}; run make charts" for path in stale), sep="\n")
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
