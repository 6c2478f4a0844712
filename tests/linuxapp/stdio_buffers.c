/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* stdio over files: seek, append, temporary files. */
#include "app.h"

int main(void)
{
    scratch();
    char line[64];
    FILE *f = fopen("f", "w+");

    fprintf(f, "line %d\nline %d\n", 1, 2);
    rewind(f);
    fgets(line, sizeof(line), f);
    fputs(line, stdout);
    SHOW(ftell(f));
    SHOW(fseek(f, -3, SEEK_END));
    SHOW(fgetc(f));
    fclose(f);
    f = fopen("f", "a");
    fputs("appended\n", f);
    SHOW(ftell(f));
    fclose(f);
    show_file("f");
    f = tmpfile();
    SHOW(f != NULL);
    fputs("temporary", f);
    rewind(f);
    fgets(line, sizeof(line), f);
    puts(line);
    SHOW(fclose(f));
    SHOW(fopen("none/f", "r") == NULL);
    return 0;
}
