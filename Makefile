# certsync: make; sudo make install; make deb; sudo make demo; sudo make check. V=1 shows the commands.

VERSION = 0.1.0

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/certsync
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions

# Where everything is built; another compiler or other flags get a folder of their own.
B ?= build

PACKAGES = libssl libcrypto libssh2 libseccomp inih jansson

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Werror
HARDENING = -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(CET)
CET := $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection=full)
# So that the same sources give the same bytes, wherever they are.
HERE = -ffile-prefix-map=$(CURDIR)=.
OURS = $(HERE) -std=gnu17 -D_GNU_SOURCE -DCERTSYNC_VERSION='"$(VERSION)"' -Iinclude -MMD -MP $(WARNINGS) $(HARDENING)
LINK = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
COMPILE = $(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) $(shell pkg-config --cflags $(PACKAGES))

LIB_OBJECTS = $(patsubst %.c,$(B)/%.o,$(wildcard src/lib/*.c))
PUSH_OBJECTS = $(patsubst %.c,$(B)/%.o,$(wildcard src/certpush/*.c))
DEPLOY_OBJECTS = $(patsubst %.c,$(B)/%.o,$(wildcard src/certdeploy/*.c))
PROGRAMS = $(B)/certpush $(B)/certdeploy
SCRIPTS = contrib/setup-npm-host contrib/setup-mailcow-host contrib/certsync-notify contrib/mail-audit
COMMANDS = $(notdir $(PROGRAMS) $(SCRIPTS))
MAN_PAGES = $(addprefix $(B)/man/,certsync.conf.5 certsync.7 $(addsuffix .8,$(COMMANDS)))
COMPLETIONS = $(addprefix $(B)/completion/bash/,$(COMMANDS)) $(addprefix $(B)/completion/zsh/_,$(COMMANDS))
UNIT_TESTS = $(patsubst tests/unit/test_%.c,$(B)/unit/test_%,$(wildcard tests/unit/test_*.c))
SERVICES = $(wildcard systemd/*.service.in)
TRIGGERS = $(wildcard systemd/*.timer systemd/*.path)
# What there may be several of.
PUSH_UNITS = $(notdir $(patsubst %.in,%,$(wildcard systemd/mailcow-cert-push*)))
TEMPLATES = $(foreach unit,$(PUSH_UNITS),$(basename $(unit))@$(suffix $(unit)))
UNITS = $(notdir $(SERVICES:.in=) $(TRIGGERS)) $(TEMPLATES)
WAZUH = contrib/wazuh/README.md contrib/wazuh/certsync_decoders.xml $(B)/wazuh/certsync_rules.xml

Q = $(if $(V),,@)
SAY = $(if $(V),@:,@printf '  %-5s %s\n')

all: $(PROGRAMS) $(MAN_PAGES) $(B)/certsync.catalog $(COMPLETIONS) $(WAZUH)

# --- building: needs no root and no network ---

$(B)/certpush: $(PUSH_OBJECTS) $(B)/libcertsync.a
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS) $(LINK) -o $@ $^ $$(pkg-config --libs libssh2 libssl libcrypto libseccomp inih jansson)

$(B)/certdeploy: $(DEPLOY_OBJECTS) $(B)/libcertsync.a
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS) $(LINK) -o $@ $^ $$(pkg-config --libs libssl libcrypto libseccomp inih jansson) -lresolv

$(B)/libcertsync.a: $(LIB_OBJECTS)
	$(SAY) AR $@
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(B)/src/%.o: src/%.c $(B)/dependencies
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

# Says at once which packages are missing, instead of a hundred lines from the compiler.
$(B)/dependencies:
	$(Q)mkdir -p $(B)
	$(Q)command -v pkg-config >/dev/null && pkg-config --print-errors --exists $(PACKAGES) || \
		{ echo "Missing libraries. On Debian and Ubuntu: sudo tests/packages build" >&2; exit 1; }
	$(Q)touch $@

# The EXIT STATUS and DIAGNOSTICS sections come from the table of outcomes.
$(B)/outcomes: man/outcomes.c $(B)/libcertsync.a
	$(SAY) CC $<
	$(Q)$(COMPILE) $(LINK) -o $@ $< $(B)/libcertsync.a

$(B)/man/%: man/% $(B)/outcomes
	$(SAY) MAN $@
	$(Q)mkdir -p $(@D)
	$(Q)$(B)/outcomes < $< > $@.new && mv $@.new $@

# So do the explanations for journalctl -x.
$(B)/certsync.catalog: systemd/certsync.catalog.in $(B)/outcomes
	$(SAY) GEN $@
	$(Q)$(B)/outcomes < $< > $@.new && mv $@.new $@

$(B)/wazuh/rules: contrib/wazuh/rules.c $(B)/libcertsync.a
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(LINK) -o $@ $< $(B)/libcertsync.a

$(B)/wazuh/certsync_rules.xml: $(B)/wazuh/rules
	$(SAY) GEN $@
	$(Q)$< > $@.new && mv $@.new $@

# What each command completes is what its --help says.
GENERATE = contrib/completion/generate
define complete
	$(SAY) GEN $@
	$(Q)mkdir -p $(@D)
	$(Q)$(GENERATE) $(1) $< > $@.new && mv $@.new $@
endef

$(B)/completion/bash/%: $(B)/% $(GENERATE)
	$(call complete,bash)

$(B)/completion/zsh/_%: $(B)/% $(GENERATE)
	$(call complete,zsh)

$(B)/completion/bash/%: contrib/% $(GENERATE)
	$(call complete,bash)

$(B)/completion/zsh/_%: contrib/% $(GENERATE)
	$(call complete,zsh)

# --- installing ---

install: all
	@chown -R --reference=Makefile $(B) 2>/dev/null || :
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) $(DESTDIR)$(CATALOGDIR) \
		$(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR) $(DESTDIR)$(DOCDIR)/examples
	install -m 755 $(PROGRAMS) $(SCRIPTS) $(DESTDIR)$(SBINDIR)
	install -m 644 $(filter %.5,$(MAN_PAGES)) $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(filter %.7,$(MAN_PAGES)) $(DESTDIR)$(MANDIR)/man7
	install -m 644 $(filter %.8,$(MAN_PAGES)) $(DESTDIR)$(MANDIR)/man8
	install -m 644 $(filter $(B)/completion/bash/%,$(COMPLETIONS)) $(DESTDIR)$(BASHCOMPDIR)
	install -m 644 $(filter $(B)/completion/zsh/%,$(COMPLETIONS)) $(DESTDIR)$(ZSHCOMPDIR)
	install -m 644 $(TRIGGERS) $(DESTDIR)$(UNITDIR)
	for unit in $(SERVICES); do \
		sed 's|@SBINDIR@|$(SBINDIR)|g' $$unit > $(DESTDIR)$(UNITDIR)/$$(basename $$unit .in) || exit 1; \
	done
	cd $(DESTDIR)$(UNITDIR) && for unit in $(TEMPLATES); do \
		sed -f $(CURDIR)/systemd/template.sed $$(echo $$unit | tr -d @) > $$unit || exit 1; \
	done
	chmod 644 $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))
	install -m 644 systemd/certsync.sysusers $(DESTDIR)$(SYSUSERSDIR)/certsync.conf
	install -m 644 systemd/certsync.tmpfiles $(DESTDIR)$(TMPFILESDIR)/certsync.conf
	install -m 644 $(B)/certsync.catalog $(DESTDIR)$(CATALOGDIR)
	install -m 644 contrib/push.conf contrib/deploy.conf contrib/notify.conf contrib/audit.conf $(wildcard contrib/prometheus/*) \
		$(DESTDIR)$(DOCDIR)/examples
	install -d $(DESTDIR)$(DOCDIR)/examples/wazuh
	install -m 644 $(WAZUH) $(DESTDIR)$(DOCDIR)/examples/wazuh

# What install put there; configuration, keys and state stay.
uninstall:
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(COMMANDS))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man5/,$(notdir $(filter %.5,$(MAN_PAGES))))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man7/,$(notdir $(filter %.7,$(MAN_PAGES))))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man8/,$(notdir $(filter %.8,$(MAN_PAGES))))
	rm -f $(addprefix $(DESTDIR)$(BASHCOMPDIR)/,$(COMMANDS)) $(addprefix $(DESTDIR)$(ZSHCOMPDIR)/_,$(COMMANDS))
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))
	rm -f $(DESTDIR)$(SYSUSERSDIR)/certsync.conf $(DESTDIR)$(TMPFILESDIR)/certsync.conf $(DESTDIR)$(CATALOGDIR)/certsync.catalog
	rm -rf $(DESTDIR)$(DOCDIR)

# Debian packages, in $(B)/deb, of a copy of the sources. What this make was told is not for theirs.
deb:
	tests/packages build deb
	$(Q)rm -rf $(B)/deb && mkdir -p $(B)/deb/source
	$(Q)cp -R LICENSE Makefile README.md contrib include man src systemd $(B)/deb/source
	$(Q)mv $(B)/deb/source/contrib/debian $(B)/deb/source
	$(Q)cd $(B)/deb/source && env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u MAKELEVEL -u SOURCE_DATE_EPOCH \
		dpkg-buildpackage --build=binary --no-sign -J $(if $(V),,>../log 2>&1 || { tail -n 20 ../log >&2; exit 1; })
	@chown -R --reference=Makefile $(B) 2>/dev/null || :
	@ls $(B)/deb/*.deb

# --- trying and testing: as root, for the lab's servers ---

demo demo-dane:
	@[ "$$(id -u)" = 0 ] || { echo "The demo starts servers and needs root: sudo make $@" >&2; exit 1; }
	tests/packages build lab
	$(MAKE) --no-print-directory all
	@chown -R --reference=Makefile $(B)
	tests/$@

check:
	tests/packages build check lab deb
	tests/check

# certsync against what people would use instead. bench-check fails where a goal is missed.
bench bench-check:
	tests/packages build check lab
	$(MAKE) --no-print-directory all $(addprefix $(B)/bench/,fingerprint parse judge peak)
	@chown -R --reference=Makefile $(B)
	CERTSYNC_BUILD=$(abspath $(B)) tests/bench/run $(if $(filter bench-check,$@),--check)

# What the programs are measured against: the same libraries, and the least that can be done with them.
$(B)/bench/fingerprint $(B)/bench/parse: $(B)/bench/%: tests/bench/%.c $(B)/certpush
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(LINK) -o $@ $< $(call libraries_of,$(B)/certpush)

$(B)/bench/judge: tests/bench/judge.c $(B)/libcertsync.a $(B)/certdeploy
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Isrc/lib $(LINK) -o $@ $< $(B)/libcertsync.a $(call libraries_of,$(B)/certdeploy)

libraries_of = -Wl,--no-as-needed $$(readelf -d $1 | sed -n 's/.*(NEEDED).*\[\(.*\)\]/-l:\1/p')

$(B)/bench/peak: tests/bench/peak.c $(B)/dependencies
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(LINK) -o $@ $<

unit: $(UNIT_TESTS) $(B)/unit/no_seccomp.so

$(B)/unit/no_seccomp.so: tests/unit/no_seccomp.c $(B)/dependencies
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -o $@ $<

$(B)/unit/test_%: tests/unit/test_%.c $(B)/libcertsync.a $(B)/units.a
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Isrc/lib -Isrc/certpush -Isrc/certdeploy $(LINK) -o $@ $< $(B)/units.a $(B)/libcertsync.a \
		$$(pkg-config --libs cmocka $(PACKAGES)) -lresolv

# The programs' modules without their main(), for the unit tests.
$(B)/units.a: $(filter-out %/main.o,$(PUSH_OBJECTS) $(DEPLOY_OBJECTS))
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $^

# Kills a program at a system call of its, or has that fail: for the tests of crashes.
$(B)/at_call: tests/torture/at_call.c $(B)/dependencies
	$(SAY) CC $<
	$(Q)$(COMPILE) $(LINK) -o $@ $< $$(pkg-config --libs libseccomp)

$(B)/clock.so: tests/torture/clock.c $(B)/dependencies
	$(SAY) CC $<
	$(Q)$(COMPILE) -fPIC -shared -o $@ $<

# Hostile input made up by libFuzzer, for FUZZ_SECONDS with each target of tests/fuzz.
FUZZ_SECONDS ?= 60
fuzz: fuzzers
	tests/fuzz/run $(B)/fuzz -max_total_time=$(FUZZ_SECONDS)

FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CFLAGS = -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all

fuzzers:
	$(Q)$(MAKE) --no-print-directory B=$(B)/fuzz CC=clang HARDENING= CFLAGS='$(FUZZ_CFLAGS)' fuzz-targets

fuzz-targets: $(FUZZ_TARGETS)

$(B)/fuzz_%: tests/fuzz/fuzz_%.c $(B)/units.a $(B)/libcertsync.a
	$(SAY) CC $<
	$(Q)$(COMPILE) -Isrc/lib -Isrc/certpush -Isrc/certdeploy -fsanitize=fuzzer $(LINK) -o $@ $< \
		$(B)/units.a $(B)/libcertsync.a $$(pkg-config --libs $(PACKAGES)) -lresolv

# All that tries to break it, in full: hours.
torture:
	tests/packages build check lab
	tests/torture/run

# How much of src/ all tests run through, and what they leave out; takes a quarter of an hour.
coverage:
	tests/packages build check lab
	tests/coverage $(B)/coverage

clean:
	rm -rf $(B)

.PHONY: all install uninstall deb demo demo-dane check bench bench-check unit fuzz fuzzers fuzz-targets torture coverage clean
.DELETE_ON_ERROR:

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
