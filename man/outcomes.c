/*
 * Copies a man page from standard input to standard output and puts the outcomes of one program in
 * the place of the line
 * `.\" @EXIT STATUS PROGRAM@` or `.\" @DIAGNOSTICS PROGRAM@`; of a message catalog, those of both
 * in the place of `# @OUTCOMES@`.
 */
#include <stdio.h>
#include <string.h>

#include "certsync/outcome.h"

#define LINE_MAX_BYTES 4096
/* mandoc -T lint finds fault with more than 80. */
#define TEXT_COLUMNS 78

static const struct {
	int status;
	const char *meaning;
} statuses[] = {
	{ EX_OK, "done, or nothing to do" },
	{ EX_USAGE, "the command line is wrong" },
	{ EX_DATAERR, "a certificate, key or file will not do" },
	{ EX_NOINPUT, "there is no certificate" },
	{ EX_UNAVAILABLE, "a service did not take the certificate" },
	{ EX_SOFTWARE, "an error of the program itself" },
	{ EX_OSERR, "out of memory or descriptors" },
	{ EX_CANTCREAT, "a file could not be written" },
	{ EX_IOERR, "reading or storing failed" },
	{ EX_TEMPFAIL, "try again later; the units do so by themselves" },
	{ EX_PROTOCOL, "the other host is not who or what it should be" },
	{ EX_NOPERM, "not permitted" },
	{ EX_CONFIG, "the configuration is wrong" },
};

static bool meets(enum outcome outcome, unsigned program)
{
	return outcome_text(outcome)->programs & program;
}

static bool ends_with(unsigned program, int status)
{
	for (enum outcome i = 0; i < OUTCOME_COUNT; i++)
		if (meets(i, program) && outcome_text(i)->status == status)
			return true;
	return false;
}

static void print_statuses(unsigned program)
{
	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (!ends_with(program, statuses[i].status))
			continue;
		printf(".It %d\n%s", statuses[i].status, statuses[i].meaning);
		if (statuses[i].status == EX_OK) {
			printf("\n");
			continue;
		}
		printf(":\n");
		for (enum outcome o = 0, first = 1; o < OUTCOME_COUNT; o++) {
			if (!meets(o, program) || outcome_text(o)->status != statuses[i].status)
				continue;
			printf("%s.Sy %s", first ? "" : " ,\n", outcome_text(o)->name);
			first = 0;
		}
		printf("\n");
	}
	printf(".El\n");
}

/*
 * Print ${text} and ${end} in lines that fit, a new one for each sentence, none of which is taken
 * for a request.
 */
static void print_text(const char *text, const char *end)
{
	size_t column = 0;

	for (bool sentence = true; *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		if (column && (sentence || column + 1 + len > TEXT_COLUMNS)) {
			printf("\n");
			column = 0;
		}
		column += (size_t)printf("%s%.*s",
					 column                ? " "
					 : strchr(".'", *text) ? "\\&"
							       : "",
					 (int)len, text);
		sentence = text[len - 1] == '.';
		text += len;
	}
	printf("%s\n", end);
}

static void print_diagnostics(unsigned program)
{
	printf(".Bl -tag -width Ds\n");
	for (enum outcome i = 0; i < OUTCOME_COUNT; i++) {
		const struct outcome_text *text = outcome_text(i);

		if (!meets(i, program) || !text->advice[0])
			continue;
		printf(".It Sy %s Pq %d\n", text->name, text->status);
		print_text(text->meaning, ".");
		print_text(text->advice, "");
	}
	printf(".El\n");
}

static const char *meaning_of(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].meaning;
	return "";
}

/* What journalctl -x shows below a message: what it means, what to do, how the run ends. */
static void print_catalog(unsigned programs)
{
	for (enum outcome i = 0; i < OUTCOME_COUNT; i++) {
		const struct outcome_text *text = outcome_text(i);

		if (!meets(i, programs))
			continue;
		printf("\n-- %s\nSubject: %s\nDefined-By: certsync\n", text->id, text->name);
		if (meets(i, OUTCOME_BY_PUSH))
			printf("Documentation: man:certpush(8)\n");
		if (meets(i, OUTCOME_BY_DEPLOY))
			printf("Documentation: man:certdeploy(8)\n");
		printf("\n%s.\n%s\n", text->meaning,
		       text->advice[0] ? text->advice : "Nothing has to be done.");
		if (text->status == EX_OK)
			printf("A run does not fail because of it.\n");
		else
			printf("A run ends with %d because of it: %s.\n", text->status,
			       meaning_of(text->status));
	}
}

int main(void)
{
	static const struct {
		const char *line;
		void (*print)(unsigned program);
		unsigned program;
	} marks[] = {
		{ ".\\\" @EXIT STATUS certpush@\n", print_statuses, OUTCOME_BY_PUSH },
		{ ".\\\" @EXIT STATUS certdeploy@\n", print_statuses, OUTCOME_BY_DEPLOY },
		{ ".\\\" @DIAGNOSTICS certpush@\n", print_diagnostics, OUTCOME_BY_PUSH },
		{ ".\\\" @DIAGNOSTICS certdeploy@\n", print_diagnostics, OUTCOME_BY_DEPLOY },
		{ "# @OUTCOMES@\n", print_catalog, OUTCOME_BY_BOTH },
	};
	char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof(line), stdin)) {
		bool marked = false;

		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
			if (strcmp(line, marks[i].line) != 0)
				continue;
			marks[i].print(marks[i].program);
			marked = true;
		}
		if (!marked)
			fputs(line, stdout);
	}
	return ferror(stdin) || fflush(stdout) != 0;
}
