#!/usr/bin/env python3
"""wazuh - evaluate Wazuh's rules as its server does, as far as certsync's use them

	wazuh.py records DECODERS RULES json|syslog < RECORDS

prints for each record, a line as journalctl has it: RULE LEVEL OUTCOME TEXT, with "-" where there is none. JSON comes
with what the record itself says; a line of syslog has only its text.

	wazuh.py table DECODERS RULES TABLE

has each outcome of the table (include/certsync/outcome_table.h) logged in both forms, and fails unless it hits a rule
of its own with its own level.

Of the rules of one parent that match, the first in the order of their levels wins, those of level 0 before all
others; whatever its children say is the answer. Where that order had to decide between two of one level, we fail: the
documentation does not say which.
"""

import json
import re
import sys
import xml.etree.ElementTree as ET

LEVELS = {7: 0, 6: 0, 5: 3, 4: 7, 3: 10, 2: 12}
PRIORITIES = {"LOG_CRIT": 2, "LOG_ERR": 3, "LOG_WARNING": 4, "LOG_NOTICE": 5, "LOG_INFO": 6, "LOG_DEBUG": 7}
# Wazuh's own, for the lines of systemd.
SYSTEMD = ET.fromstring('<rule id="40700" level="0"><program_name type="pcre2">^systemd$|^systemctl$</program_name>'
	"<description>Systemd rules</description></rule>")


class Event:
	def __init__(self, decoder, program, text, fields):
		self.decoder, self.program, self.text, self.fields = decoder, program, text, fields


class Ruleset:
	def __init__(self, decoders, rules):
		with open(decoders, encoding="utf-8") as file:
			decoders = ET.fromstring(f"<all>{re.sub('<!--.*?-->', '', file.read(), flags=re.S)}</all>")
		self.programs = {decoder.get("name"): pattern(decoder.find("program_name"))
			for decoder in decoders if decoder.find("program_name") is not None}
		self.rules = [SYSTEMD, *ET.parse(rules).getroot().iter("rule")]
		ids = [rule.get("id") for rule in self.rules]
		assert len(set(ids)) == len(ids), "a number is given twice"
		assert all(100000 <= int(number) <= 120000 for number in ids[1:]), "not of the users' range"

	def syslog(self, line):
		# May 04 03:00:01 host program[pid]: text
		found = re.fullmatch(r"\w{3} [ \d]\d [\d:]{8} \S+ ([^\s:\[]+)(?:\[\d+\])?: (.*)", line)
		assert found, line
		program, text = found.groups()
		decoder = next((name for name, expression in self.programs.items() if expression.search(program)), None)
		return Event(decoder, program, text, {})

	@staticmethod
	def json(line):
		return Event("json", None, line, json.loads(line))

	def answer(self, event, parent=None):
		hits = [rule for rule in self.rules if rule.findtext("if_sid") == parent and matches(rule, event)]
		if not hits:
			return None
		hits.sort(key=lambda rule: (level(rule) > 0, -level(rule)))
		assert len(hits) == 1 or level(hits[0]) != level(hits[1]), [rule.get("id") for rule in hits]
		return self.answer(event, hits[0].get("id")) or hits[0]


def level(rule):
	return int(rule.get("level"))


def pattern(element):
	assert element.get("type") == "pcre2", ET.tostring(element)
	return re.compile(element.text)


def matches(rule, event):
	for part in rule:
		if part.tag in ("if_sid", "description"):
			continue
		if part.tag == "decoded_as":
			good = event.decoder == part.text
		elif part.tag == "program_name":
			good = event.program and pattern(part).search(event.program)
		elif part.tag == "match":
			good = pattern(part).search(event.text)
		elif part.tag == "field":
			good = part.get("name") in event.fields and pattern(part).search(str(event.fields[part.get("name")]))
		else:
			raise AssertionError(f"not known here: {part.tag}")
		if not good:
			return False
	return True


def outcome_of(rule):
	found = re.search(r"(?<!\$)\(([A-Z_]+)\)", rule.findtext("description"))
	return found.group(1) if found else "-"


def show(ruleset, form):
	for line in sys.stdin.read().splitlines():
		event = getattr(ruleset, form)(line)
		rule = ruleset.answer(event)
		number, of_level, outcome = ("-", "-", "-") if rule is None else (rule.get("id"), level(rule), outcome_of(rule))
		if "CERTSYNC_OUTCOME" in event.fields:
			assert outcome == event.fields["CERTSYNC_OUTCOME"], line
			assert of_level == LEVELS[int(event.fields["PRIORITY"])], line
		print(number, of_level, outcome, event.fields.get("MESSAGE", event.text))


def check_table(ruleset, table):
	with open(table, encoding="utf-8") as file:
		rows = re.findall(r'X\((\w+), \w+, (\w+), \w+, "[0-9a-f]{32}", \\\n\s*"(.*)", \\\n\s*"(.*)"\)', file.read())
	assert len(rows) > 80, len(rows)
	seen = set()
	for name, priority, _, advice in rows:
		priority = PRIORITIES[priority]
		# as bad as a reason can be: it has the words of a failure
		message = f"it failed: error{'. ' if advice else ''}{advice}"
		events = [ruleset.json(json.dumps({"SYSLOG_IDENTIFIER": "certpush", "PRIORITY": str(priority),
			"CERTSYNC_OUTCOME": name, "MESSAGE": message}))]
		if advice:
			events.append(ruleset.syslog(f"May 04 03:00:01 npm certpush[7]: {message}"))
		for event in events:
			rule = ruleset.answer(event)
			assert (outcome_of(rule), level(rule)) == (name, LEVELS[priority]), (name, rule.attrib)
			assert rule.get("id") not in seen
			seen.add(rule.get("id"))
	print(f"{len(rows)} outcomes, {len(seen)} rules")


what, rules = sys.argv[1], Ruleset(sys.argv[2], sys.argv[3])
{"records": show, "table": check_table}[what](rules, sys.argv[4])
