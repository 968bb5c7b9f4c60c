/* fingerprint FILE: the SHA-256 of its first certificate, and nothing that this does not need. */

#include <stdio.h>

#include <openssl/pem.h>
#include <openssl/sha.h>

/* Linked with all that certpush is: what starting that costs anybody. */
int main(int argc, char *argv[])
{
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	unsigned char *der, digest[SHA256_DIGEST_LENGTH];
	char *name, *header;
	long len;

	if (!file || !PEM_read(file, &name, &header, &der, &len) ||
	    !SHA256(der, (size_t)len, digest))
		return 1;
	for (size_t i = 0; i < sizeof(digest); i++)
		printf("%s%02X", i ? ":" : "", digest[i]);
	putchar('\n');
	return 0;
}
