//! The Kubernetes manifests.

use super::*;

const FOLDER: &str = "deploy/kubernetes";
const JOB: &str = "migration/job.yaml";

fn manifest(name: &str) -> Value {
    yaml(PathBuf::from(FOLDER).join(name))
}

/// What both kinds of pods are made of, with the command whose help names their variables.
fn pods() -> [(Value, &'static str); 2] {
    let pod = |name| manifest(name)["spec"]["template"]["spec"].clone();
    [(pod("deployment.yaml"), "serve"), (pod(JOB), "migrate")]
}

fn environment(pod: &Value) -> Vec<(&str, &Value)> {
    items(&pod["containers"][0]["env"]).iter().map(|env| (env["name"].as_str().expect("a name"), env)).collect()
}

#[test]
fn pods_have_no_privileges_and_say_what_they_need() {
    for (pod, command) in pods() {
        let container = &pod["containers"][0];
        assert_eq!(items(&pod["containers"]).len(), 1, "{command}");
        assert_eq!(words(&container["args"]), [command]);
        assert_eq!(pod["automountServiceAccountToken"], false, "{command}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{command}");
        assert_eq!(pod["securityContext"]["runAsUser"], 65532, "{command}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{command}");
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "{command}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{command}");
        assert_eq!(words(&security["capabilities"]["drop"]), ["ALL"], "{command}");
        let resources = &container["resources"];
        assert!(resources["requests"]["cpu"].is_string() && resources["requests"]["memory"].is_string(), "{command}");
        assert!(resources["limits"]["memory"].is_string(), "{command}");
    }
}

#[test]
fn pods_are_given_only_variables_that_they_read_and_secrets_by_reference() {
    for (pod, command) in pods() {
        let known = variables_of(command);
        for (variable, env) in environment(&pod) {
            assert!(known.contains(variable), "`clawback {command}` does not read {variable}");
            let by_reference = env["valueFrom"]["secretKeyRef"]["name"].is_string() && env["value"].is_null();
            assert_eq!(is_secret(variable), by_reference, "{variable}");
        }
    }
    for file in files() {
        assert_ne!(manifest(&file)["kind"], "Secret", "{file}: a secret's value has no place in a repository");
    }
}

#[test]
fn probes_ask_for_readiness_and_for_life() {
    let deployment = manifest("deployment.yaml");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    // Whatever restarts a pod asks for the process alone: a database that is away is no reason.
    let probes = [("startupProbe", "/healthz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")];
    for (probe, path) in probes {
        assert_eq!(container[probe]["httpGet"]["path"], path, "{probe}");
        assert_eq!(container[probe]["httpGet"]["port"], "http", "{probe}");
        // The service gives a probe's database two seconds.
        assert!(container[probe]["timeoutSeconds"].as_u64() > Some(2), "{probe}");
    }
}

#[test]
fn a_roll_out_takes_no_replica_away_before_the_next_is_ready() {
    let deployment = manifest("deployment.yaml");
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let (pod, _) = &pods()[0];
    assert_eq!(pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"], PRE_STOP);
    assert_eq!(pod["terminationGracePeriodSeconds"], PRE_STOP + GRACE);
    let migrates = environment(pod).into_iter().find(|(name, _)| *name == "CLAWBACK_MIGRATE");
    assert_eq!(migrates.expect("it is set").1["value"], "false");
}

#[test]
fn selectors_meet_the_pods_they_are_for() {
    let deployment = manifest("deployment.yaml");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&manifest("service.yaml")["spec"]["selector"], labels);
    assert_eq!(&manifest("pod-disruption-budget.yaml")["spec"]["selector"]["matchLabels"], labels);
    let job = manifest(JOB);
    assert_ne!(&job["spec"]["template"]["metadata"]["labels"], labels, "the job's pods are no backends");
}

#[test]
fn only_prometheus_reaches_the_admin_port() {
    let (pod, _) = &pods()[0];
    let listen = environment(pod).into_iter().find(|(name, _)| *name == "CLAWBACK_ADMIN_LISTEN");
    assert_eq!(listen.expect("it is set").1["value"], format!("0.0.0.0:{ADMIN}"));
    let service = manifest("service.yaml");
    assert_eq!(items(&service["spec"]["ports"]).len(), 1);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    let policy = manifest("network-policy.yaml");
    assert_eq!(words(&policy["spec"]["policyTypes"]), ["Ingress"]);
    for rule in items(&policy["spec"]["ingress"]) {
        let ports: Vec<_> = items(&rule["ports"]).iter().map(|port| port["port"].to_string()).collect();
        assert!(!ports.is_empty(), "a rule without ports opens all");
        let from = items(&rule["from"]);
        assert!(!ports.iter().any(|port| port == ADMIN) || !from.is_empty(), "the admin port is open to all");
        assert!(from.iter().all(|peer| peer["podSelector"].is_object()));
    }
}

fn files() -> Vec<String> {
    let folder = |name: &str| {
        let folder = root().join(FOLDER).join(name);
        let entries = fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("an entry"));
        let names = entries.map(|entry| entry.file_name().into_string().expect("a name"));
        names.map(|file| format!("{name}{file}")).collect::<Vec<_>>()
    };
    let files = [folder(""), folder("migration/")].concat();
    files.into_iter().filter(|name| name.ends_with(".yaml") && !name.ends_with("kustomization.yaml")).collect()
}

#[test]
fn the_kustomization_lists_everything_but_the_job_which_has_its_own() {
    let listed =
        |name: &str| -> BTreeSet<_> { words(&manifest(name)["resources"]).into_iter().map(str::to_owned).collect() };
    let service: BTreeSet<_> = files().into_iter().filter(|name| name != JOB).collect();
    assert_eq!(listed("kustomization.yaml"), service);
    assert_eq!(listed("migration/kustomization.yaml"), BTreeSet::from(["job.yaml".to_owned()]));
}

#[test]
fn service_and_job_are_of_one_image_and_in_one_namespace() {
    let [service, job] = ["kustomization.yaml", "migration/kustomization.yaml"].map(manifest);
    assert_eq!(service["images"], job["images"], "another image in the one than in the other");
    assert_eq!(service["namespace"], job["namespace"], "another namespace in the one than in the other");
    let [service, job] = pods().map(|(pod, _)| pod["containers"][0]["image"].clone());
    assert_eq!(service, job, "another image in the one than in the other");
}

#[test]
fn an_image_that_nobody_named_otherwise_is_of_this_version() {
    let named = pods().map(|(pod, _)| pod["containers"][0]["image"].as_str().expect("an image").to_owned());
    let tags = named.iter().filter_map(|image| image.strip_prefix("clawback:").map(str::to_owned));
    let changed = manifest("kustomization.yaml")["images"].clone();
    let unnamed = items(&changed).iter().filter(|image| image["newName"].is_null());
    for tag in tags.chain(unnamed.filter_map(|image| image["newTag"].as_str().map(str::to_owned))) {
        assert_eq!(tag, env!("CARGO_PKG_VERSION"));
    }
}
