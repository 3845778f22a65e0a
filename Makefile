# What a newcomer and CI run. Everything else is cargo's own.

.PHONY: help setup build demo test reference proof fuzz torture bench run check sdk-check examples-check workflows-check manifests-check browser-tools screenshots deny-check image-check startup-check any-user-check setup-check tls-check pooler-check balancer-check versions-check

LIVES ?= 100000
LIVES_ON_POSTGRES ?= 2000
DISPUTES ?= 1000
REFUNDS ?= 10000
WORLDS ?= 30
MINUTES ?= 30
ONLY ?=
RUNS ?= 1000000
TARGET ?= fuzz::

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install Postgres from the system's packages, if there is none
	@scripts/setup.sh

build: ## build the binary
	cargo build --release --locked

demo: setup ## deliver real events, out of order and twice, and print the resulting orders
	@cargo build --release --locked
	@cargo run --release --locked --quiet -- demo

browser-tools: ## install Chromium and axe-core for the tests of the console (root on Debian)
	@scripts/browser-tools.sh

test: setup browser-tools ## run every test, against a real Postgres and in a real browser
	@# A thousand connections at once take two thousand files: more than a shell allows at first.
	@# Twice as many tests at a time as there are cores, since most of them wait.
	@ulimit -n "$$(ulimit -Hn)"; RUST_TEST_THREADS="$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))}" cargo test --locked

screenshots: setup browser-tools ## take the pictures of the console for the docs
	@scripts/screenshots.sh

reference: ## write the generated parts of docs/SQL.md and the TypeScript types
	CLAWBACK_WRITE_REFERENCE=1 cargo test --locked --test it reference::

proof: ## property-test against an independent oracle, in memory and on Postgres: make proof LIVES=1000000
	LIVES=$(LIVES) DELIVERIES=4 LIVES_ON_POSTGRES=$(LIVES_ON_POSTGRES) REFUNDS=$(REFUNDS) DISPUTES=$(DISPUTES) WORLDS=$(WORLDS) cargo test --release --locked --test proof -- \
		--nocapture --test-threads=1 the_end_is_the_truth

torture: setup ## break everything around two replicas and check that nothing is lost, doubled, wrong or late: make torture MINUTES=5 ONLY=kills,cuts
	@# A crowd of slow clients takes three thousand connections.
	@ulimit -n "$$(ulimit -Hn)"; MINUTES=$(MINUTES) ONLY=$(ONLY) cargo test --release --locked --test torture -- --nocapture nothing_is_lost

fuzz: setup ## fuzz all that reads what comes from outside, or one target: make fuzz RUNS=10000000 TARGET=fuzz::header
	@# Optimised, with the checks of a debug build: an overflow panics.
	RUNS=$(RUNS) cargo test --locked --config profile.dev.package.clawback.opt-level=3 --lib --test proof -- --nocapture $(TARGET)

bench: setup ## measure intake and processing beside a textbook handler, 15 minutes: make bench BENCH='--only drain --json'
	@# An overload takes two thousand connections.
	@ulimit -n "$$(ulimit -Hn)"; cargo bench --locked --bench bench -- $(BENCH)

run: setup ## run the service on a private Postgres, for `stripe listen --forward-to`
	@cargo build --release --locked
	@cargo run --release --locked --quiet -- dev

check: ## check formatting, lints and documentation; warnings are errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

sdk-check: setup ## compare signatures, API requests and the double of Stripe with its SDKs (installs them temporarily)
	@scripts/sdk-check.sh
	@scripts/sdk-requests.sh

examples-check: setup ## run the consumers in examples/ against a service, and type-check the types
	@scripts/examples-check.sh

workflows-check: ## lint the workflows in .github (they have not run yet)
	@scripts/workflows-check.sh

manifests-check: ## validate Kubernetes manifests, alert rules and the compose file
	@scripts/check-manifests.sh

startup-check: setup ## measure the time from process start to ready
	@scripts/startup-time.sh

deny-check: ## check licenses, sources and advisories of dependencies (cargo-deny; advisories need its database)
	@scripts/deny-check.sh

image-check: setup ## build the image without a container engine and run it (root, buildah)
	@scripts/prove-image.sh

any-user-check: setup ## run demo and tests as an ordinary user, in a fresh clone (root)
	@scripts/prove-any-user.sh

setup-check: ## set up a fresh Debian that has no Postgres (root, debootstrap)
	@scripts/prove-setup.sh

tls-check: setup ## check which sslmode encrypts, and which verifies the server (openssl)
	@scripts/prove-tls.sh

balancer-check: setup ## run two replicas behind nginx, which uses its connections again (root on Debian unpacks one)
	@scripts/prove-balancer.sh

versions-check: setup ## run the tests on Postgres 14 and 18 (npm): make versions-check VERSIONS='16 17'
	@VERSIONS="$(VERSIONS)" scripts/prove-versions.sh

pooler-check: setup ## run two replicas through PgBouncer in transaction mode (1.21 or newer; root on Debian installs one)
	@scripts/prove-pooler.sh
