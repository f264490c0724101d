/* idna.c - internationalised domain names to ASCII, by libidn2 (UTS 46, non-transitional). */
#include <errno.h>
#include <idn2.h>
#include <stdbool.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "proto/url_int.h"

/* Characters that transitional processing would change: sharp s, final sigma, joiners. */
static bool has_deviation(const char *domain)
{
    static const char *const deviations[] = {"\u00df", "\u1e9e", "\u03c2", "\u200c", "\u200d"};
    for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++) {
        if (strstr(domain, deviations[i]) != NULL)
            return true;
    }
    return strstr(domain, "xn--") != NULL;
}

int weft__idna_to_ascii(const char *domain, char **ret)
{
    char *ascii = NULL;
    int result = idn2_to_ascii_8z(domain, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    /*
     * The library adds IDNA 2008's own rules to UTS 46 (no symbols, no hyphens in third and
     * fourth place), which the URL standard does not have, and leaves them out in transitional
     * mode only.
     */
    if ((result == IDN2_DISALLOWED || result == IDN2_2HYPHEN) && !has_deviation(domain))
        result = idn2_to_ascii_8z(domain, &ascii, IDN2_TRANSITIONAL | IDN2_NFC_INPUT);
    if (result == IDN2_MALLOC)
        return -ENOMEM;
    if (result != IDN2_OK)
        return WEFT_EINVALID_URL;
    *ret = weft__strdup(ascii);
    idn2_free(ascii);
    return *ret != NULL ? 0 : -ENOMEM;
}

int weft__idna_to_unicode(const char *domain, char **ret)
{
    char *text = NULL;
    int result = idn2_to_unicode_8z8z(domain, &text, 0);
    if (result == IDN2_MALLOC)
        return -ENOMEM;
    *ret = weft__strdup(result == IDN2_OK ? text : domain);
    idn2_free(text);
    return *ret != NULL ? 0 : -ENOMEM;
}
