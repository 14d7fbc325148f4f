import { useState } from 'react';
import { Image, StyleSheet, Text, View } from 'react-native';

import icon from '../../assets/icon.png';
import { toMessage } from '@/api/request';
import type { Credentials } from '@/api/types';
import { useSession } from '@/session/SessionProvider';
import { Button } from '@/ui/Button';
import { Field } from '@/ui/Field';
import { Problem } from '@/ui/Problem';
import { Screen } from '@/ui/Screen';
import { SPACE, usePalette } from '@/ui/theme';

export default function SignInScreen() {
  const palette = usePalette();
  const { register, signIn } = useSession();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  async function submit(open: (credentials: Credentials) => Promise<void>) {
    setBusy(true);
    setProblem(null);
    try {
      await open({ email, password });
    } catch (error) {
      setProblem(toMessage(error));
      setBusy(false);
    }
  }

  const incomplete = busy || !email || !password;
  return (
    <Screen>
      <View style={styles.form}>
        <Image accessibilityIgnoresInvertColors alt="" source={icon} style={styles.icon} />
        <Text role="heading" style={[styles.title, { color: palette.text }]}>
          AIOS
        </Text>
        <Text style={[styles.text, { color: palette.faint }]}>Your notes, tasks and days in one place.</Text>
        <Field
          autoCapitalize="none"
          autoComplete="email"
          inputMode="email"
          label="E-mail address"
          onChangeText={setEmail}
          testID="email"
          value={email}
        />
        <Field
          autoCapitalize="none"
          autoComplete="password"
          label="Password (at least 10 characters)"
          onChangeText={setPassword}
          onSubmitEditing={() => incomplete || submit(signIn)}
          secureTextEntry
          testID="password"
          value={password}
        />
        <Problem message={problem} />
        <Button disabled={incomplete} label="Sign in" onPress={() => submit(signIn)} testID="sign-in" />
        <Button
          disabled={incomplete}
          label="Create an account"
          onPress={() => submit(register)}
          quiet
          testID="register"
        />
      </View>
    </Screen>
  );
}

const styles = StyleSheet.create({
  form: { flex: 1, gap: SPACE.medium, justifyContent: 'center' },
  icon: { alignSelf: 'center', borderRadius: 20, height: 88, width: 88 },
  text: { fontSize: 16, textAlign: 'center' },
  title: { fontSize: 34, fontWeight: '700', textAlign: 'center' },
});
