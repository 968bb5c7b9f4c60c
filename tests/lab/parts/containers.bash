# shellcheck shell=bash
# shellcheck disable=SC2154 # $here is the main script's
# containers - mailcow's three TLS services as containers that look like mailcow's

IMAGE_PACKAGES=nginx,postfix,dovecot-imapd,dovecot-pop3d,dovecot-managesieved,openssl,procps

# From where apt gets its packages here: "URI CODENAME", of the release's main archive.
image_origin() {
	local codename uri
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016 # apt-get puts in the values
	uri=${LAB_MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(SUITE) $(RELEASE)' \
		'Created-By: Packages' 'Component: main' |
		awk -v c="$codename" '$2 == c || $3 == c { print $1; exit }')}
	# apt's own lists of mirrors mean nothing to debootstrap: take the first of the list.
	case $uri in
	mirror+file:*) uri=$(awk '/^http/ { print $1; exit }' "${uri#mirror+file:}") ;;
	esac
	[ -n "$uri" ] || die "apt has no source for $codename here: set LAB_MIRROR"
	printf '%s %s\n' "$uri" "$codename"
}

# The image as a tarball outside the lab, made once for each recipe: $image_tarball says where.
image_make() {
	local origin codename recipe components=main
	origin=$(image_origin)
	codename=${origin##* }
	! grep -q '^ID=ubuntu$' /etc/os-release || components=main,universe
	recipe=$(sha256sum "$here/make-image" <(echo "$components $IMAGE_PACKAGES") |
		cut -d' ' -f1 | sha256sum | cut -c1-12)
	image_tarball=$LAB_CACHE/mail-$codename-$(dpkg --print-architecture)-$recipe.tar
	# Two labs may want it at the same time.
	exec 9>"$LAB_CACHE/lock"
	flock 9
	if [ ! -f "$image_tarball" ]; then
		say "making the image of the mail services, once (log: $LOG/image.log)"
		# Of a run that was killed, and of recipes that are no more.
		rm -rf --one-file-system "$LAB_CACHE"/image.* "$LAB_CACHE"/mail-*.tar
		"$here/make-image" "${origin% *}" "$codename" "$components" "$IMAGE_PACKAGES" \
			"$image_tarball" >>"$LOG/image.log" 2>&1 || {
			tail -n 5 "$LOG/image.log" >&2
			die "the image could not be made, see $LOG/image.log"
		}
	fi
	exec 9>&-
}

# container_run SERVICE PORTS...: one container as compose would name and label it
container_run() {
	local service=$1 port publish=() mounts=()
	shift
	if [ "$service" = dovecot-mailcow ]; then
		mounts=(--volume "$LAB_MAILCOW/data/conf/dovecot:/etc/dovecot/mailcow:ro")
	fi
	for port; do
		publish+=(--publish "127.0.0.1:$((LAB_PORT_BASE + port)):$port")
	done
	engine_docker run --detach --name "$LAB_PROJECT-$service-1" --hostname "${LAB_HOSTNAME%%.*}" \
		--label "com.docker.compose.project=$LAB_PROJECT" \
		--label "com.docker.compose.service=$service" \
		--label com.docker.compose.oneoff=False \
		--label com.docker.compose.container-number=1 \
		--label "com.docker.compose.project.working_dir=$LAB_MAILCOW" \
		--label "com.docker.compose.project.config_files=$LAB_MAILCOW/docker-compose.yml" \
		--restart always --env "MAILCOW_HOSTNAME=$LAB_HOSTNAME" --env "BRIDGE_NET=$BRIDGE_NET.0/24" \
		--volume "$LAB_SSL:/etc/ssl/mail:ro" --volume "$LAB/containers:/lab:ro" \
		"${mounts[@]}" "${publish[@]}" lab-mail "/lab/$service" >>"$LOG/containers.log" 2>&1 ||
		die "container $service did not start, see $LOG/containers.log"
}

containers_start() {
	# The lab runs copies: an edit of the sources does not reach a running lab.
	mkdir -p "$LAB/containers"
	cp "$here"/containers/* "$LAB/containers/"
	engine_docker import "$image_tarball" lab-mail >>"$LOG/containers.log" 2>&1 ||
		die "the image could not be loaded, see $LOG/containers.log"
	local jobs=() job
	container_run postfix-mailcow 25 465 587 &
	jobs+=($!)
	container_run dovecot-mailcow 110 143 993 995 4190 &
	jobs+=($!)
	container_run nginx-mailcow 80 443 &
	jobs+=($!)
	for job in "${jobs[@]}"; do
		wait "$job" || die 'not all containers started'
	done
}
