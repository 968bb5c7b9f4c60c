#!/usr/bin/env bats
# All that tests/e2e/hostile_staging.bats runs a sample of.

# shellcheck disable=SC2034 # what the files that are loaded use

load ../e2e/deploy
load ../e2e/hostile

setup_file() {
	deploy_setup_file
}

setup() {
	hostile_setup
}

teardown() {
	! mountpoint -q "$STAGING" || umount "$STAGING"
	hostile_teardown
}

@test "what is staged is exchanged while certdeploy runs" {
	survives_swaps 10000 all 'runs with exchanges'
}

@test "what is staged is exchanged between two system calls" {
	survives_swaps 500 link 'slow runs, exchanges with links' "${SLOWLY[@]}"
	survives_swaps 500 fifo 'slow runs, exchanges with FIFOs' "${SLOWLY[@]}"
	survives_swaps 500 other 'slow runs, exchanges with another host'"'"'s pair' "${SLOWLY[@]}"
}

@test "each bit flipped" {
	survives_flips der fullchain.pem 1 8
	survives_flips der privkey.pem 1 8
	survives_flips pem fullchain.pem 1 8
	survives_flips pem privkey.pem 1 8
}

@test "a hundred thousand generations" {
	survives_generations 100000
}

@test "nothing but a file of its own is taken for either file of a flat pair" {
	local begun=$SECONDS thing file attempts=0 survived=0
	for thing in "${ODD_THINGS[@]}"; do
		for file in fullchain.pem privkey.pem; do
			attempts=$((attempts + 1))
			put_flat "$PAIRS/new"
			put_odd "$thing" "$STAGING/$file"
			! harmless 65 "refused: $STAGING: $file: ${ODD_SAID[$thing]}" || survived=$((survived + 1))
			empty_staging
		done
	done
	row 'odd things in the place of a flat pair' "$attempts" "$survived" "$begun"
}
