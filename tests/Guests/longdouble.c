// 80-bit long double: printf, strtold, arithmetic, libm, conversions, rounding modes, exception flags; doubles and floats beside it.
#define _GNU_SOURCE
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include "check.h"

static void bits(const char *what, long double value)
{
    uint64_t words[2] = { 0 };
    memcpy(words, &value, 10);
    printf("%-12s %04llx:%016llx %.21Lg %La\n", what, (unsigned long long)words[1], (unsigned long long)words[0], value, value);
}

int main(void)
{
    static const char *const texts[] = { "0", "-0", "1", "3.14159265358979323846264338327950288", "1e4932", "1.18973149535723176502e+4932", "3e-4951", "-7.5e-4940",
        "123456789012345678901234567890", "0x1.fffffffffffffffep+16383", "inf", "nan", "0.1", "1e-10" };
    volatile long double values[14];
    for (int i = 0; i < 14; i++) {
        values[i] = strtold(texts[i], NULL);
        bits(texts[i], values[i]);
        printf("   %Lf %Le %.3Lf %+.40Lg %a %.17g %g\n", values[i] > 1e100L ? 1.0L : values[i], values[i], fminl(values[i], 1e6L), values[i], (double)values[i], (double)values[i], (float)values[i]);
    }
    long double a = values[3], b = values[12];
    bits("a+b", a + b);
    bits("a-b", a - b);
    bits("a*b", a * b);
    bits("a/b", a / b);
    bits("sqrt", sqrtl(a));
    bits("fmod", fmodl(a * 1000, b));
    bits("remainder", remainderl(a * 1000, b));
    bits("exp", expl(a));
    bits("log", logl(a));
    bits("log2", log2l(a));
    bits("log10", log10l(a));
    bits("sin", sinl(a * b));
    bits("cos", cosl(a * b));
    bits("tan", tanl(a * b));
    bits("atan2", atan2l(a, b));
    bits("pow", powl(a, b));
    bits("cbrt", cbrtl(a));
    bits("hypot", hypotl(a, b));
    bits("nextafter", nextafterl(a, 0));
    bits("ldexp", ldexpl(a, -16400));
    int exponent;
    bits("frexp", frexpl(a, &exponent));
    printf("exponent %d\n", exponent);
    static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
    for (int i = 0; i < 4; i++) {
        fesetround(modes[i]);
        volatile long double third = 1.0L / values[2] / 3.0L;
        volatile double d = 1.0 / (3.0 + (double)values[0]);
        volatile float f = 1.0f / (3.0f + (float)values[0]);
        volatile long double half = 2.5L + values[0];
        printf("mode %d: %La %a %a rint %Lf lrint %ld %ld %ld\n", i, third, d, f, rintl(half), lrintl(half), lrint(-(double)half), lrintf((float)half));
    }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    volatile long double zero = values[0], result = 1.0L / zero;
    printf("flags %x\n", fetestexcept(FE_ALL_EXCEPT));
    feclearexcept(FE_ALL_EXCEPT);
    volatile double dzero = (double)zero, dresult = dzero / dzero;
    printf("flags %x %d\n", fetestexcept(FE_ALL_EXCEPT), dresult != dresult);
    feclearexcept(FE_ALL_EXCEPT);
    result = values[5] * 2;
    printf("flags %x %Lf\n", fetestexcept(FE_ALL_EXCEPT), result);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double tiny = DBL_MIN, tinier = tiny / 3;
    printf("flags %x %a\n", fetestexcept(FE_ALL_EXCEPT), tinier);
    printf("%lld %lld %d %llu\n", (long long)(a * 1e15L), llrintl(-a), (int)-a, (unsigned long long)(a * 5e18L));
    volatile int64_t minimum = INT64_MIN;
    bits("int64 min", minimum);
    volatile uint64_t maximum = UINT64_MAX;
    bits("uint64 max", maximum);
    bits("compare", (a > b) + 2 * (a == a) + 4 * (values[11] == values[11]) + 8 * isless(values[11], a));
    long double sum = 0;
    for (int i = 1; i < 2000; i++)
        sum += 1.0L / i * (i & 1 ? 1 : -1);
    bits("series", sum);
    double dsum = 0;
    for (int i = 1; i < 2000; i++)
        dsum += sin(i) * exp(-i / 500.0) / sqrt(i) + pow(i, 0.3) * atan(i) - log(i + 0.5) * cosh(1.0 / i);
    printf("%a %.17g\n", dsum, dsum);
    float fsum = 0;
    for (int i = 1; i < 2000; i++)
        fsum += sinf((float)i) * expf(-(float)i / 500) / sqrtf((float)i);
    printf("%a\n", fsum);
    return 0;
}
