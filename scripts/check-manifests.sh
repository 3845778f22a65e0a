#!/usr/bin/env bash
# Validates what is deployed: Kubernetes manifests, as kustomize renders them, against the schemas of the API; alert
# rules, their tests and the dashboard's queries with promtool; the compose file with docker compose. The validator of
# manifests comes from its package registry, the other tools through scripts/tools.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

# The oldest and the newest Kubernetes checked.
read -r -a versions <<<"${KUBERNETES_VERSIONS:-1.30.0 1.37.0}"
validator='kubernetes-validate==1.37.0'
secrets=(POSTGRES_PASSWORD CLAWBACK_ROLE_PASSWORD STRIPE_WEBHOOK_SECRETS)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-manifests-XXXXXXXX")
trap 'rm -rf "$scratch"' EXIT

# What `kubectl apply -k` would send: the job, and the rest.
manifests() {
    local version
    kubectl kustomize deploy/kubernetes >"$scratch/service.yaml"
    kubectl kustomize deploy/kubernetes/migration >"$scratch/migration.yaml"
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        python3 -m pip install --quiet --target "$scratch/python" "$validator"
    for version in "${versions[@]}"; do
        PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1 \
            python3 -m kubernetes_validate --strict --kubernetes-version "$version" \
            "$scratch/service.yaml" "$scratch/migration.yaml"
    done
    the_same image 's/^ *-\{0,1\} *image: //p'
    the_same namespace 's/^  namespace: //p'
}

# The service and its migration job use one image, one namespace and one secret.
the_same() {
    local service job
    service=$(sed -n "$2" "$scratch/service.yaml" | sort -u)
    job=$(sed -n "$2" "$scratch/migration.yaml" | sort -u)
    [[ $service == "$job" && $(wc -l <<<"$service") -eq 1 ]] || {
        printf 'the service and the migration job have not one %s:\n%s\n%s\n' "$1" "$service" "$job" >&2
        return 1
    }
    echo "$1 of service and job: ${service:-that of the context}"
}

alert_rules() {
    promtool check config deploy/prometheus/prometheus.yml
    promtool test rules deploy/prometheus/alerts_test.yml
}

# The dashboard's queries, as rules: a string of JSON is one of YAML.
dashboard() {
    {
        printf 'groups:\n- name: dashboard\n  rules:\n'
        sed -n 's/^ *"expr": \(".*"\),\{0,1\}$/  - { record: shown, expr: \1 }/p' deploy/grafana/dashboard.json |
            sed 's:[$]__rate_interval:5m:g'
    } >"$scratch/dashboard.yml"
    promtool check rules --lint=none "$scratch/dashboard.yml"
}

# Valid with all secrets, refused when any of them is missing.
compose_file() {
    local given missing
    echo "$*, version $("$@" version --short)"
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

if unpacked kubectl kubernetes-client kubectl && installed python3 python3 && installed pip3 python3-pip; then
    manifests
else
    left_out "Kubernetes manifests, because kubectl or python3 with pip is missing"
fi
if unpacked promtool prometheus promtool; then
    alert_rules
    dashboard
else
    left_out "alert rules and dashboard, because promtool is missing (Debian: prometheus)"
fi
if docker compose version >/dev/null 2>&1; then
    compose_file docker compose
elif installed docker-compose docker-compose; then
    compose_file docker-compose
else
    left_out "the compose file, because docker compose is missing"
fi
