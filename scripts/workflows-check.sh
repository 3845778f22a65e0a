#!/usr/bin/env bash
# Lints the workflows in .github: zizmor looks for insecure patterns, a JSON schema finds misspelt keys, and shellcheck
# reads the scripts of their steps. The linters come from the package registries.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

linters=(zizmor==1.32.0 check-jsonschema==0.39.0)
venv=${CARGO_TARGET_DIR:-$PWD/target}/workflow-linters

# Each `run` of a workflow as a file of its own, in the folder given last.
extract_scripts() {
    "$venv/bin/python" - "$@" <<'PYTHON'
import pathlib
import sys

from ruamel.yaml import YAML

*workflows, folder = map(pathlib.Path, sys.argv[1:])
for workflow in workflows:
    for job, body in YAML(typ="safe").load(workflow)["jobs"].items():
        for number, step in enumerate(body["steps"], 1):
            if "run" in step:
                script = folder / f"{workflow.stem}-{job}-{number}.sh"
                script.write_text("#!/usr/bin/env bash\nset -eo pipefail\n" + step["run"])
PYTHON
}

if ! { installed python3 python3 python3-venv && installed shellcheck shellcheck; }; then
    left_out "the workflows, because python3 or shellcheck is missing"
    exit
fi
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "${linters[@]}"
"$venv/bin/zizmor" --offline --no-progress --persona pedantic .github
"$venv/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
"$venv/bin/check-jsonschema" --builtin-schema vendor.dependabot .github/dependabot.yml
scripts=$(mktemp -d "${TMPDIR:-/tmp}/clawback-workflows-XXXXXXXX")
trap 'rm -rf "$scripts"' EXIT
extract_scripts .github/workflows/*.yml "$scripts"
shellcheck "$scripts"/*.sh
