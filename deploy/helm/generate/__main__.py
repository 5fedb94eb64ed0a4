"""`python -m deploy.helm.generate [--check]`: write the files, or only name those that are stale and exit with 1."""

import sys
from pathlib import Path

import yaml

from deploy.helm.generate import readme, schema, slices
from deploy.helm.generate.values import Value, merged, parse

CHARTS = Path(__file__).parents[1]
SERVICES = ("customer", "identity", "import", "notify", "pool")


def outputs() -> dict[Path, str]:
    """Path → content of every generated file."""
    common = parse(CHARTS / "common/values.yaml")["exports"]
    shared, service = common["shared"], common["service"]
    files = {
        CHARTS / "trial/nats.conf": slices.nats_configuration(SERVICES),
        CHARTS / "common/README.md": _readme("common", merged(shared, service)),
    }
    for name in SERVICES:
        own = parse(CHARTS / name / "values.yaml")
        files |= _chart(name, own, merged(shared, service, own), schema.settings_of(name))
        files[CHARTS / name / "routes.yaml"] = slices.routes(name)
    own = parse(CHARTS / "trial/values.yaml")
    files |= _chart("trial", own, merged(shared, own))
    own = parse(CHARTS / "highsea/values.yaml")
    return files | _chart("highsea", own, merged(shared, own), subcharts=(*SERVICES, "trial"))


def _chart(
    name: str, own: Value, every: Value, settings: schema.Schema | None = None, subcharts: tuple[str, ...] = ()
) -> dict[Path, str]:
    return {
        CHARTS / name / "values.schema.json": schema.document(every, settings, ("common", *subcharts)),
        CHARTS / name / "README.md": _readme(name, own),
    }


def _readme(name: str, values: Value) -> str:
    chart = yaml.safe_load((CHARTS / name / "Chart.yaml").read_text(encoding="utf-8"))
    return readme.document(name, chart["description"], values)


def main() -> int:
    """Returns the exit status."""
    stale = {
        path: text for path, text in outputs().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    if "--check" in sys.argv:
        print("\n".join(f"stale: {path.relative_to(CHARTS.parents[1])}; run make charts" for path in stale))
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
