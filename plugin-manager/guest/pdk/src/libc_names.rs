//! The names wasi-libc defines. On wasm an exported function is a symbol of its exported name, so an operation of
//! one of these names would take the place of the C library's, and the standard library would call the operation.

/// Public functions of wasi-libc that can be names of operations, each between two spaces.
const NAMES: &str = " a64l abort abs accept accept4 access acos acosf acosh acoshf acoshl acosl aligned_alloc alphasort alphasort64 \
     arc4random arc4random_buf arc4random_uniform asctime asctime_r asin asinf asinh asinhf asinhl asinl asprintf \
     at_quick_exit atan atan2 atan2f atan2l atanf atanh atanhf atanhl atanl atexit atof atoi atol atoll basename bcmp \
     bcopy bsearch btowc bzero c16rtomb c32rtomb cabs cabsf cabsl cacos cacosf cacosh cacoshf cacoshl cacosl calloc \
     carg cargf cargl casin casinf casinh casinhf casinhl casinl catan catanf catanh catanhf catanhl catanl catclose \
     catgets catopen cbrt cbrtf cbrtl ccos ccosf ccosh ccoshf ccoshl ccosl ceil ceilf ceill cexp cexpf cexpl chdir \
     chmod cimag cimagf cimagl clearenv clearerr clearerr_unlocked clock_getres clock_gettime clock_nanosleep clog \
     clogf clogl close closedir confstr conj conjf conjl copysign copysignf copysignl cos cosf cosh coshf coshl cosl \
     cpow cpowf cpowl cproj cprojf cprojl creal crealf creall creat creat64 crypt crypt_r csin csinf csinh csinhf \
     csinhl csinl csqrt csqrtf csqrtl ctan ctanf ctanh ctanhf ctanhl ctanl ctime ctime_r difftime dirfd dirname div \
     dprintf drand48 drem dremf duplocale ecvt encrypt environ erand48 erf erfc erfcf erfcl erff erfl errno exit exp \
     exp10 exp10f exp10l exp2 exp2f exp2l expf expl explicit_bzero expm1 expm1f expm1l fabs fabsf fabsl faccessat \
     fchmod fchmodat fclose fcntl fcvt fdatasync fdclosedir fdim fdimf fdiml fdopen fdopendir feclearexcept fegetenv \
     fegetexceptflag fegetround feholdexcept feof feof_unlocked feraiseexcept ferror ferror_unlocked fesetenv \
     fesetexceptflag fesetround fetestexcept feupdateenv fflush fflush_unlocked ffs ffsl ffsll fgetc fgetc_unlocked \
     fgetln fgetpos fgetpos64 fgets fgets_unlocked fgetwc fgetwc_unlocked fgetws fgetws_unlocked fileno \
     fileno_unlocked finite finitef floor floorf floorl fma fmaf fmal fmax fmaxf fmaxl fmemopen fmin fminf fminl fmod \
     fmodf fmodl fmtmsg fnmatch fopen fopen64 fopencookie fpathconf fprintf fpurge fputc fputc_unlocked fputs \
     fputs_unlocked fputwc fputwc_unlocked fputws fputws_unlocked fread fread_unlocked free freelocale freopen \
     freopen64 frexp frexpf frexpl fscanf fseek fseeko fseeko64 fsetpos fsetpos64 fstat fstatat fstatvfs fsync ftell \
     ftello ftello64 ftime ftruncate fts_children fts_close fts_open fts_read fts_set futimens futimesat fwide \
     fwprintf fwrite fwrite_unlocked fwscanf gcvt get_avphys_pages get_nprocs get_nprocs_conf get_phys_pages getc \
     getc_unlocked getchar getchar_unlocked getcwd getdate getdate_err getdelim getdomainname getentropy getenv \
     gethostid gethostname getline getopt getopt_long getopt_long_only getpagesize getsockopt getsubopt gettimeofday \
     getw getwc getwc_unlocked getwchar getwchar_unlocked glob glob64 globfree globfree64 gmtime gmtime_r hcreate \
     hcreate_r hdestroy hdestroy_r hsearch hsearch_r htonl htons hypot hypotf hypotl iconv iconv_close iconv_open \
     ilogb ilogbf ilogbl imaxabs imaxdiv in6addr_any in6addr_loopback index inet_addr inet_aton inet_lnaof \
     inet_makeaddr inet_netof inet_network inet_ntoa inet_ntop inet_pton initstate insque ioctl iprintf isalnum \
     isalnum_l isalpha isalpha_l isascii isatty isblank isblank_l iscntrl iscntrl_l isdigit isdigit_l isgraph \
     isgraph_l islower islower_l isprint isprint_l ispunct ispunct_l isspace isspace_l isupper isupper_l iswalnum \
     iswalnum_l iswalpha iswalpha_l iswblank iswblank_l iswcntrl iswcntrl_l iswctype iswctype_l iswdigit iswdigit_l \
     iswgraph iswgraph_l iswlower iswlower_l iswprint iswprint_l iswpunct iswpunct_l iswspace iswspace_l iswupper \
     iswupper_l iswxdigit iswxdigit_l isxdigit isxdigit_l j0 j0f j1 j1f jn jnf jrand48 l64a labs lcong48 ldexp ldexpf \
     ldexpl ldiv lfind lgamma lgamma_r lgammaf lgammaf_r lgammal lgammal_r link linkat llabs lldiv llrint llrintf \
     llrintl llround llroundf llroundl localeconv localtime localtime_r log log10 log10f log10l log1p log1pf log1pl \
     log2 log2f log2l logb logbf logbl logf logl lrand48 lrint lrintf lrintl lround lroundf lroundl lsearch lseek \
     lstat malloc malloc_usable_size mblen mbrlen mbrtoc16 mbrtoc32 mbrtowc mbsinit mbsnrtowcs mbsrtowcs mbstowcs \
     mbtowc memccpy memchr memcmp memcpy memmem memmove mempcpy memrchr memset mkdir mkdirat mktime modf modff modfl \
     mrand48 nan nanf nanl nanosleep nearbyint nearbyintf nearbyintl newlocale nextafter nextafterf nextafterl \
     nexttoward nexttowardf nexttowardl nftw nftw64 nl_langinfo nl_langinfo_l nrand48 ntohl ntohs open open_memstream \
     open_wmemstream openat opendir opendirat optarg opterr optind optopt optreset pathconf perror poll posix_close \
     posix_fadvise posix_fallocate posix_memalign pow pow10 pow10f pow10l powf powl pread preadv printf \
     program_invocation_name program_invocation_short_name pselect pthread_attr_destroy pthread_attr_getdetachstate \
     pthread_attr_getguardsize pthread_attr_getschedparam pthread_attr_getstack pthread_attr_getstacksize \
     pthread_attr_init pthread_attr_setdetachstate pthread_attr_setguardsize pthread_attr_setschedparam \
     pthread_attr_setstack pthread_attr_setstacksize pthread_barrier_destroy pthread_barrier_init \
     pthread_barrier_wait pthread_barrierattr_destroy pthread_barrierattr_getpshared pthread_barrierattr_init \
     pthread_barrierattr_setpshared pthread_cancel pthread_cond_broadcast pthread_cond_destroy pthread_cond_init \
     pthread_cond_signal pthread_cond_timedwait pthread_cond_wait pthread_condattr_destroy pthread_condattr_getclock \
     pthread_condattr_getpshared pthread_condattr_init pthread_condattr_setclock pthread_condattr_setpshared \
     pthread_create pthread_detach pthread_equal pthread_getattr_np pthread_getspecific pthread_join \
     pthread_key_create pthread_key_delete pthread_mutex_consistent pthread_mutex_destroy \
     pthread_mutex_getprioceiling pthread_mutex_init pthread_mutex_lock pthread_mutex_timedlock pthread_mutex_trylock \
     pthread_mutex_unlock pthread_mutexattr_destroy pthread_mutexattr_getprotocol pthread_mutexattr_getpshared \
     pthread_mutexattr_getrobust pthread_mutexattr_gettype pthread_mutexattr_init pthread_mutexattr_setprotocol \
     pthread_mutexattr_setpshared pthread_mutexattr_setrobust pthread_mutexattr_settype pthread_once \
     pthread_rwlock_destroy pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_timedrdlock \
     pthread_rwlock_timedwrlock pthread_rwlock_tryrdlock pthread_rwlock_trywrlock pthread_rwlock_unlock \
     pthread_rwlock_wrlock pthread_rwlockattr_destroy pthread_rwlockattr_getpshared pthread_rwlockattr_init \
     pthread_rwlockattr_setpshared pthread_self pthread_setcancelstate pthread_setcanceltype pthread_setspecific \
     pthread_spin_destroy pthread_spin_init pthread_spin_lock pthread_spin_trylock pthread_spin_unlock \
     pthread_testcancel pthread_timedjoin_np pthread_tryjoin_np putc putc_unlocked putchar putchar_unlocked putenv \
     puts putw putwc putwc_unlocked putwchar putwchar_unlocked pwrite pwritev qsort qsort_r quick_exit rand rand_r \
     random read readdir readlink readlinkat readv realloc reallocarray realpath recv regcomp regerror regexec \
     regfree remainder remainderf remainderl remove remque remquo remquof remquol rename renameat rewind rewinddir \
     rindex rint rintf rintl rmdir round roundf roundl sbrk scalb scalbf scalbln scalblnf scalblnl scalbn scalbnf \
     scalbnl scandir scandirat scanf sched_yield seed48 seekdir select send setbuf setbuffer setenv setkey setlinebuf \
     setlocale setstate setvbuf shutdown signgam significand significandf sin sincos sincosf sincosl sinf sinh sinhf \
     sinhl sinl sleep snprintf sprintf sqrt sqrtf sqrtl srand srand48 srandom sscanf stat statvfs stderr stdin stdout \
     stpcpy stpncpy strcasecmp strcasecmp_l strcasestr strcat strchr strchrnul strcmp strcoll strcoll_l strcpy \
     strcspn strdup strerror strerror_l strerror_r strfmon strfmon_l strftime strftime_l strlcat strlcpy strlen \
     strncasecmp strncasecmp_l strncat strncmp strncpy strndup strnlen strpbrk strptime strrchr strsep strspn strstr \
     strtod strtod_l strtof strtof_l strtoimax strtok strtok_r strtol strtold strtold_l strtoll strtoul strtoull \
     strtoumax strverscmp strxfrm strxfrm_l swab swprintf swscanf symlink symlinkat sysconf tan tanf tanh tanhf tanhl \
     tanl tdelete tdestroy telldir tfind tgamma tgammaf tgammal thrd_current thrd_detach thrd_equal thrd_sleep time \
     timegm timespec_get toascii tolower tolower_l toupper toupper_l towctrans towctrans_l towlower towlower_l \
     towupper towupper_l trunc truncate truncf truncl tsearch tss_get twalk uname ungetc ungetwc unlink unlinkat \
     unsetenv uselocale usleep utime utimensat utimes vasprintf vdprintf versionsort versionsort64 vfprintf vfscanf \
     vfwprintf vfwscanf vprintf vscanf vsnprintf vsprintf vsscanf vswprintf vswscanf vwprintf vwscanf wcpcpy wcpncpy \
     wcrtomb wcscasecmp wcscasecmp_l wcscat wcschr wcscmp wcscoll wcscoll_l wcscpy wcscspn wcsdup wcsftime wcsftime_l \
     wcslen wcsncasecmp wcsncasecmp_l wcsncat wcsncmp wcsncpy wcsnlen wcsnrtombs wcspbrk wcsrchr wcsrtombs wcsspn \
     wcsstr wcstod wcstof wcstoimax wcstok wcstol wcstold wcstoll wcstombs wcstoul wcstoull wcstoumax wcswcs wcswidth \
     wcsxfrm wcsxfrm_l wctob wctomb wctrans wctrans_l wctype wctype_l wcwidth wmemchr wmemcmp wmemcpy wmemmove \
     wmemset wprintf write writev wscanf y0 y0f y1 y1f yn ynf ";

/// Whether the C library has a function of this name.
#[must_use]
pub const fn is_taken(name: &str) -> bool {
    let mut rest = NAMES.as_bytes();
    while let [b' ', after @ ..] = rest {
        rest = match past(after, name.as_bytes()) {
            [b' ', ..] => return true,
            _ => from_space(after),
        };
    }
    false
}

/// What follows the name in the text; nothing when the text does not begin with it.
const fn past<'t>(mut text: &'t [u8], mut name: &[u8]) -> &'t [u8] {
    loop {
        match (text, name) {
            (_, []) => return text,
            ([a, text_left @ ..], [b, name_left @ ..]) if *a == *b => (text, name) = (text_left, name_left),
            _ => return &[],
        }
    }
}

const fn from_space(mut text: &[u8]) -> &[u8] {
    while let [first, left @ ..] = text {
        if *first == b' ' {
            break;
        }
        text = left;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{NAMES, is_taken};

    #[test]
    fn names_of_the_c_library_are_taken_and_others_are_not() {
        for name in NAMES.split_whitespace().chain(["read", "write", "a64l"]) {
            assert!(is_taken(name), "{name}");
        }
        for name in ["", "reads", "rea", "redact", "a64l abort "] {
            assert!(!is_taken(name), "{name}");
        }
        assert!(NAMES.split_whitespace().count() > 900);
    }
}
