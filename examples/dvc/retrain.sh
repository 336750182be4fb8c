#!/bin/bash
# One training, as the Job does it: takes the repository and its data, runs the
# pipeline on the rows of the window, and registers what comes out, once. Killed
# and run again for the same decision, it goes on with what it has pushed.
#
# Without LEEWAY_PARENT_VERSION it makes the first version of a model, without
# LEEWAY_WINDOW_FROM of the rows that window.yaml names.
set -euo pipefail
trap 'echo "retrain: line $LINENO has failed, what it said is above. Nothing was registered." >&2' ERR
: "${GIT_URL:?names the git repository to train in}" "${LEEWAY_MODEL:?names the model in the registry}"
decision=${LEEWAY_DECISION:-by-hand-$(date -u +%Y%m%dT%H%M%SZ)}
parent=${LEEWAY_PARENT_VERSION:-}
branch=leeway/$decision

HOME=$(mktemp -d) # git keeps notes there, and dvc in DVC_SITE_CACHE_DIR
export HOME DVC_SITE_CACHE_DIR="$HOME/dvc" DVC_NO_ANALYTICS=1 GIT_TERMINAL_PROMPT=0
cd "$HOME"
git config --global user.name leeway
git config --global user.email leeway@localhost
git clone --quiet --branch "${GIT_BRANCH:-main}" "$GIT_URL" repository
cd repository

if git rev-parse --quiet --verify "origin/$branch^{commit}" > /dev/null; then
  echo "$branch has been pushed before: nothing is trained again"
  git switch --quiet "$branch"
  dvc pull
else
  git switch --quiet --create "$branch"
  dvc pull data/labelled.dvc
  if [ -n "${LEEWAY_WINDOW_FROM:-}" ]; then
    printf 'from: "%s"\nto: "%s"\n' "$LEEWAY_WINDOW_FROM" "$LEEWAY_WINDOW_TO" > window.yaml
  fi
  dvc repro prepare

  # The version in service on the rows that are held out now goes first: then
  # `dvc metrics diff` compares on the same rows.
  if [ -n "$parent" ]; then
    live=$(leeway show "$LEEWAY_MODEL" "$parent" -o json | python -c 'import json, sys; print(json.load(sys.stdin)["artifact"]["uri"])')
    dvc get-url "$live" "$HOME/parent.json"
    python evaluate.py "$HOME/parent.json"
    git add --update
    git add dvc.lock metrics.json
    git commit --quiet --allow-empty --message "Version $parent of $LEEWAY_MODEL, on rows held out for $decision"
  fi

  dvc repro
  git add --update
  git add dvc.lock metrics.json
  git commit --quiet --allow-empty --message "Trained for $decision"
  dvc push
  git push --quiet origin "$branch"
fi

# The gate is the guard's: one place that says how much worse is too much, and a
# record of it. A Job that failed would be tried again, and would not say why.
# Sorted, for the same content is the same version, and DVC has no order.
evaluations=
if [ -n "$parent" ]; then
  dvc metrics diff --all --json HEAD~1 HEAD > "$HOME/diff.json"
  echo "dvc metrics diff, of version $parent and this one: $(cat "$HOME/diff.json")"
  evaluations=$(python -c '
import json, sys
for name, value in sorted(json.load(open(sys.argv[1]))["metrics.json"].items()):
    print("--evaluation", "self@holdout:%s=%s" % (name, value["new"]))
    print("--evaluation", "%s@holdout:%s=%s" % (sys.argv[2], name, value["old"]))' "$HOME/diff.json" "$parent")
fi

artifact=$(dvc get --show-url . model.json) # in the remote, where its name is its hash
trap - ERR
# Leeway makes the profile of the very rows that DVC has locked, so there is no
# `leeway profile` before.
# shellcheck disable=SC2086 # evaluations are several words
version=$(leeway register --artifact "$artifact" $evaluations \
  --dvc . --dvc-data data/predicted.csv --time time --label minutes --prediction predicted)
echo "registered version $version of $LEEWAY_MODEL"
