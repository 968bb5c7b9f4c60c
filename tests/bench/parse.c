/* parse FILE...: the first certificate of each, and nothing else: what OpenSSL takes for that. */

#include <stdio.h>

#include <openssl/pem.h>

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "re");
		X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

		if (!certificate)
			return 1;
		X509_free(certificate);
		fclose(file);
	}
	return 0;
}
