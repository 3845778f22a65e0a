#!/usr/bin/env bash
# Holds what is deployed against schemas and tools: Kubernetes manifests against the API's own schemas,
# alert rules and their tests by promtool, the compose file by docker compose. The validator of the
# manifests is brought from its package registry; what else is not installed here is said and left out.
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest and the newest Kubernetes that is looked at.
read -r -a versions <<<"${KUBERNETES_VERSIONS:-1.29.0 1.37.0}"
validator='kubernetes-validate==1.37.0'
secrets=(POSTGRES_PASSWORD CLAWBACK_ROLE_PASSWORD STRIPE_WEBHOOK_SECRETS)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-manifests-XXXXXXXX")
trap 'rm -rf "$scratch"' EXIT

manifests() {
    local version files
    files=(deploy/kubernetes/[!k]*.yaml)
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        python3 -m pip install --quiet --target "$scratch/python" "$validator"
    for version in "${versions[@]}"; do
        PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1 \
            python3 -m kubernetes_validate --strict --kubernetes-version "$version" "${files[@]}"
    done
}

alert_rules() {
    promtool check rules deploy/prometheus/alerts.yml
    promtool test rules deploy/prometheus/alerts_test.yml
}

# Whole with all secrets, refused when any of them is missing.
compose_file() {
    local given missing
    for missing in none "${secrets[@]}"; do
        given=()
        for secret in "${secrets[@]}"; do
            [[ $secret == "$missing" ]] || given+=("$secret=scratch")
        done
        if env "${secrets[@]/#/--unset=}" "${given[@]}" \
            "$@" --file docker-compose.yml config >"$scratch/compose" 2>&1; then
            [[ $missing == none ]] && echo "docker-compose.yml: valid" && continue
            echo "docker-compose.yml: starts without $missing" >&2
            return 1
        fi
        [[ $missing != none ]] || { cat "$scratch/compose" >&2 && return 1; }
        echo "docker-compose.yml: refused without $missing"
    done
}

if python3 -m pip --version >/dev/null 2>&1; then
    manifests
else
    echo "not checked: Kubernetes manifests, for python3 with pip is not installed"
fi
if command -v promtool >/dev/null; then
    alert_rules
else
    echo "not checked: alert rules, for promtool is not installed (Debian: prometheus)"
fi
if docker compose version >/dev/null 2>&1; then
    compose_file docker compose
elif command -v docker-compose >/dev/null; then
    compose_file docker-compose
else
    echo "not checked: the compose file by docker compose, which is not installed"
fi
