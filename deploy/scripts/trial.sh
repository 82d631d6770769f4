#!/usr/bin/env bash
# A whole trial cluster on this machine, by one command, ending at the link to the Studio:
#   deploy/scripts/trial.sh [--tool kind|k3d|minikube] [--name NAME] [--models FOLDER] [--no-build] [--dry-run]
#   deploy/scripts/trial.sh --delete [--tool …] [--name NAME]
# Makes the cluster, the images and, where FOLDER (runs/demo) is not there, the demo's models; puts all of it in, waits,
# and forwards the pages to 127.0.0.1:8080 until Ctrl-C. Repeating it goes on with what there is. Settings of
# kubectl are its own (.stagecraft/NAME.kubeconfig): yours stay as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tool="" name=stagecraft-trial models=runs/demo build=yes dry="" delete=""
while [ $# -gt 0 ]; do
  case "$1" in
    --tool | --name | --models)
      [ $# -gt 1 ] || { echo "trial.sh: $1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift
      ;;
    --no-build) build="" ;;
    --dry-run) dry=yes ;;
    --delete) delete=yes ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "trial.sh: unknown option $1 (--help tells them)" >&2; exit 2 ;;
  esac
  shift
done

fail() {
  echo "trial.sh: $1" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
# Says what is done; with --dry-run does no more than that.
run() {
  printf '+ %s\n' "$*"
  [ -n "$dry" ] || "$@"
}

case "$tool" in
  kind | k3d | minikube) has "$tool" || [ -n "$dry" ] || fail "$tool is not installed" ;;
  "")
    for one in kind k3d minikube; do if has "$one"; then tool=$one; break; fi; done
    if [ -z "$tool" ]; then
      [ -n "$dry" ] || fail "none of kind, k3d and minikube is installed: install one of them (kind.sigs.k8s.io, k3d.io,
  minikube.sigs.k8s.io), or see all of it on this machine without Kubernetes: npm run up"
      tool=kind
    fi
    ;;
  *) fail "--tool $tool: kind, k3d or minikube" ;;
esac
engine=docker
docker info >/dev/null 2>&1 || ! has podman || engine=podman
if [ -z "$dry" ] && [ -z "$delete" ]; then
  has kubectl || fail "kubectl is not installed"
  "$engine" info >/dev/null 2>&1 || fail "no container engine: start docker, or install podman"
fi
[ "$engine:$tool" = podman:kind ] && export KIND_EXPERIMENTAL_PROVIDER=podman

[ -n "$dry" ] || mkdir -p .stagecraft
export KUBECONFIG="$PWD/.stagecraft/$name.kubeconfig"
kube() { run kubectl --namespace stagecraft "$@"; }

if [ -n "$delete" ]; then
  case "$tool" in
    kind) run kind delete cluster --name "$name" ;;
    k3d) run k3d cluster delete "$name" ;;
    minikube) run minikube delete --profile "$name" ;;
  esac
  run rm -f "$KUBECONFIG"
  exit 0
fi

# The cluster; one that is there is taken.
exists() {
  [ -z "$dry" ] || return 1
  case "$tool" in
    kind) kind get clusters 2>/dev/null | grep -qx "$name" ;;
    k3d) k3d cluster list "$name" >/dev/null 2>&1 ;;
    minikube) minikube status --profile "$name" >/dev/null 2>&1 ;;
  esac
}
if exists; then
  case "$tool" in
    kind) run kind export kubeconfig --name "$name" --kubeconfig "$KUBECONFIG" ;;
    k3d) run k3d kubeconfig merge "$name" --output "$KUBECONFIG" --overwrite ;;
    minikube) run minikube update-context --profile "$name" ;;
  esac
else
  case "$tool" in
    kind) run kind create cluster --name "$name" --wait 180s ;;
    k3d) run k3d cluster create "$name" --wait --timeout 180s ;;
    minikube) run minikube start --profile "$name" --wait all ;;
  esac
fi

# Images, as one archive that each of the tools takes.
version=$(node -p 'require("./package.json").version')
images=()
for one in policy reward-model rollout trainer gateway cli; do images+=("stagecraft/$one:$version"); done
[ -z "$build" ] || run npm run deploy:images
archive=$(mktemp -d)/images.tar
trap 'rm -rf "$(dirname "$archive")"' EXIT
if [ "$engine" = podman ]; then
  # Kubernetes looks for names without a host at docker.io; podman calls what it built localhost/….
  for one in "${images[@]}"; do run podman tag "localhost/$one" "docker.io/$one"; done
  run podman save --format docker-archive --multi-image-archive --output "$archive" "${images[@]/#/docker.io/}"
else
  run docker save --output "$archive" "${images[@]}"
fi
case "$tool" in
  kind) run kind load image-archive "$archive" --name "$name" ;;
  k3d) run k3d image import "$archive" --cluster "$name" ;;
  minikube) run minikube image load "$archive" --profile "$name" ;;
esac

# What stays, and secrets, once.
run kubectl apply -k deploy/kustomize/data/one-node
secret() {
  local secret=$1
  shift
  if [ -z "$dry" ] && kubectl --namespace stagecraft get secret "$secret" >/dev/null 2>&1; then return; fi
  echo "+ kubectl --namespace stagecraft create secret generic $secret (new passwords)"
  [ -n "$dry" ] || kubectl --namespace stagecraft create secret generic "$secret" "$@" >/dev/null
}
random() { node -p 'crypto.randomBytes(24).toString("hex")'; }
worker=$(random) operator=$(random) password=$(random)
secret stagecraft-access --from-literal=worker="$worker" --from-literal=operator="$operator" \
  --from-literal=tokens="worker=generate+score:$worker,operator=admin:$operator"
secret stagecraft-database --from-literal=password="$password" \
  --from-literal=url="postgres://stagecraft:$password@postgres/stagecraft"
run kubectl apply -k deploy/kustomize/overlays/trial

# Models: of the demo unless there are others.
if [ "$models" = runs/demo ] && [ ! -e runs/demo/ppo/model/config.json ]; then run npm run demo; fi
kube rollout status deployment/model-loader --timeout 300s
kube rollout status deployment/trainer --timeout 600s
for pair in ppo/model:policy reward/model:reward world/world/prompts-train.jsonl:prompts.jsonl; do
  from="$models/${pair%%:*}"
  [ -n "$dry" ] || [ -e "$from" ] || fail "$from is not there: --models names a folder like runs/demo, which npm run demo makes"
  run node deploy/scripts/copy-in.mjs "$from" "${pair##*:}"
done
for one in statefulset/nats statefulset/postgres deployment/{policy,reward-model,rollout,trainer,gateway}; do
  kube rollout status "$one" --timeout 600s
done

# The link: in the log until somebody has signed in by it.
echo "+ kubectl --namespace stagecraft logs deployment/gateway | grep sign-in"
if [ -z "$dry" ]; then
  link=$(kubectl --namespace stagecraft logs deployment/gateway | grep -o 'http://[^" ]*/sign-in#[A-Za-z0-9_-]*' | tail -1 || true)
  echo
  echo "Studio: ${link:-http://127.0.0.1:8080 (somebody has signed in already)}"
  echo "Again: $0 --no-build; away: $0 --delete. For kubectl: export KUBECONFIG=$KUBECONFIG"
fi
kube port-forward deployment/gateway 8080:8080
